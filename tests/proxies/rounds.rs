//! Schemes of several rounds for a proxy: the connection to it is kept between them.

use hostpool::{ErrorKind, Proxy, Session};

use crate::ntlm::{Fault, Ntlm, auth};

fn proxy(ntlm: &Ntlm, tunnel: bool) -> Proxy {
    Proxy::parse(&ntlm.url()).unwrap().auth(auth("ann")).tunnel_http(tunnel)
}

#[test]
fn one_connection() {
    for tunnel in [false, true] {
        let ntlm = Ntlm::new(true, Fault::None);
        let session = Session::builder().proxy(proxy(&ntlm, tunnel)).build().unwrap();
        for _ in 0..3 {
            let request = session.post("http://named.test/").data("body");
            assert_eq!(request.send().unwrap().text().unwrap(), "ann", "tunnel: {tunnel}");
        }
        assert!(ntlm.got().iter().all(|(number, ..)| *number == 0), "tunnel: {tunnel}");
        let requests = ntlm.got();
        assert_eq!(requests.len(), if tunnel { 3 } else { 5 }, "tunnel: {tunnel}: {requests:?}");
        let methods = if tunnel { "CONNECT " } else { "POST http://named.test/ " };
        assert!(requests.iter().all(|(_, head, _)| head.starts_with(methods)));
        assert_eq!(session.connector().unwrap().stats().in_use, 0);
    }
}

/// Threads that open several connections at once do not mix their rounds.
#[test]
fn many_threads() {
    for tunnel in [false, true] {
        let ntlm = Ntlm::new(true, Fault::None);
        let session = Session::builder().proxy(proxy(&ntlm, tunnel)).build().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let session = &session;
                scope.spawn(move || {
                    for _ in 0..10 {
                        let url = format!("http://h{}.test/", n % 3);
                        assert_eq!(session.get(url).send().unwrap().text().unwrap(), "ann", "tunnel: {tunnel}");
                    }
                });
            }
        });
        assert_eq!(session.connector().unwrap().stats().in_use, 0);
    }
}

#[test]
fn refusals() {
    for fault in [Fault::Refuses, Fault::Closes, Fault::NeverEnds] {
        let ntlm = Ntlm::new(true, fault);
        let session = Session::builder().proxy(proxy(&ntlm, false)).build().unwrap();
        let response = session.get("http://named.test/").send().unwrap();
        assert_eq!((response.status().as_u16(), response.text().unwrap()), (407, "page".to_owned()));
        let error = session.get("http://named.test/").proxy(proxy(&ntlm, true)).send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ProxyRefused { status: Some(status), .. } if *status == 407));
        assert!(error.to_string().contains("NTLM") && error.to_string().contains("Basic"), "{error}");
        assert!(ntlm.got().len() <= 18, "the rounds end");
        assert_eq!(session.connector().unwrap().stats().in_use, 0);
    }
}

/// A hook that leads the answer to a challenge past the proxy: the connection of the challenge does not keep the only slot.
#[test]
fn rounds_that_end_early() {
    let (ntlm, server) = (Ntlm::new(true, Fault::None), crate::origin("direct"));
    let passes = std::sync::atomic::AtomicUsize::new(0);
    let session = Session::builder()
        .proxy(proxy(&ntlm, false))
        .resolve_to("named.test", server.addr)
        .total_limit(1)
        .pool_timeout(std::time::Duration::ZERO)
        .on_request(move |request| {
            if passes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
                request.set_no_proxy();
            }
            Ok(())
        })
        .build()
        .unwrap();
    assert_eq!(session.get("http://named.test/").send().unwrap().text().unwrap(), "direct");
    assert_eq!((ntlm.got().len(), session.connector().unwrap().stats().open), (1, 1));
}

/// The rounds need the connection, also where each request has one of its own.
#[test]
fn force_close() {
    let ntlm = Ntlm::new(true, Fault::None);
    let connector = hostpool::ProxyConnector::new(proxy(&ntlm, false)).unwrap();
    let session = Session::builder().connector(&connector).build().unwrap();
    for _ in 0..2 {
        assert_eq!(session.get("http://named.test/").send().unwrap().text().unwrap(), "ann");
        assert_eq!(connector.pools().stats().open, 0);
    }
    let numbers: Vec<_> = ntlm.got().iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, [0, 0, 0, 1, 1, 1]);
    let refusing = Ntlm::new(true, Fault::Refuses);
    let session =
        Session::builder().connector(hostpool::ProxyConnector::new(proxy(&refusing, false)).unwrap()).build().unwrap();
    session.get("http://named.test/").send().unwrap().text().unwrap();
    assert_eq!(session.connector().unwrap().stats().open, 0);
}
