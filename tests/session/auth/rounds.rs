//! Schemes of several rounds, which authenticate a connection.

use std::io::Read;

use hostpool::{Auth, AuthPeer, AuthRounds, AuthScheme, Body, Error, PoolManager, Session};

use crate::ntlm::{Fault, Ntlm, auth};
use crate::support::header;

/// A4: the rounds run over one connection, which is then known to the server.
#[test]
fn one_connection() {
    let server = Ntlm::new(false, Fault::None);
    let session = Session::builder().auth(auth("ann")).build().unwrap();
    for round in 0..3 {
        assert_eq!(session.get(server.url()).send().unwrap().text().unwrap(), "ann", "{round}");
    }
    let got = server.got();
    let said: Vec<_> = got.iter().map(|(number, head, _)| (*number, header(head, "Authorization"))).collect();
    let expected = [None, Some("NTLM one-ann"), Some("NTLM two-ann-c0=="), None, None];
    assert_eq!(said, expected.map(|said| (0, said)));
    assert_eq!(session.connector().unwrap().stats().in_use, 0);
}

/// The connection is nobody else's between the rounds, nor after them: threads that share few connections, of two users
/// and of none.
#[test]
fn nobody_else_gets_the_connection() {
    let server = Ntlm::new(false, Fault::None);
    let pools = PoolManager::builder().limit(3).build().unwrap();
    let [ann, bob] = [auth("ann"), auth("bob")];
    std::thread::scope(|scope| {
        for n in 0..12 {
            let (pools, url) = (&pools, server.url());
            let (who, login) = [("ann", Some(&ann)), ("bob", Some(&bob)), ("page", None)][n % 3];
            scope.spawn(move || {
                for _ in 0..10 {
                    let request = pools.get(&url);
                    let request = match login {
                        Some(login) => request.auth(login.clone()),
                        None => request,
                    };
                    assert_eq!(request.send().unwrap().text().unwrap(), who);
                }
            });
        }
    });
    assert_eq!(pools.stats().in_use, 0);
    assert!(pools.stats().open <= 3);
}

/// The message that only opens the rounds has no body, so a long one is not sent for nothing.
#[test]
fn bodies() {
    let server = Ntlm::new(false, Fault::None);
    let session = Session::builder().auth(auth("ann")).build().unwrap();
    let body = vec![b'x'; 3 << 20];
    assert_eq!(session.post(server.url()).data(body.clone()).send().unwrap().text().unwrap(), "ann");
    let got = server.got();
    let lengths: Vec<_> = got.iter().map(|(.., len)| *len).collect();
    assert_eq!(lengths[lengths.len() - 2..], [0, body.len()], "{lengths:?}");
    assert_eq!(header(&got[got.len() - 2].1, "Content-Length"), Some("0"));
    // The connection is known by now, so a body that can be sent only once arrives.
    let once = Body::sized(std::io::repeat(b'y').take(300_000), 300_000);
    assert_eq!(session.post(server.url()).data(once).send().unwrap().text().unwrap(), "ann");
    let other = Session::builder().auth(auth("bob")).build().unwrap();
    let once = Body::sized(std::io::repeat(b'y').take(300_000), 300_000);
    let refused = other.post(server.url()).data(once).send().unwrap();
    assert_eq!((refused.status().as_u16(), refused.text().unwrap()), (401, "page".to_owned()));
}

/// What ends in a refusal: it is the response with its page, and the slot comes back.
#[test]
fn refusals() {
    for (fault, requests) in [(Fault::Refuses, 3), (Fault::Closes, 3), (Fault::NeverEnds, 9)] {
        let server = Ntlm::new(false, fault);
        let pools = PoolManager::builder().limit(1).build().unwrap();
        let login = auth("ann");
        for _ in 0..2 {
            let response = pools.get(server.url()).auth(login.clone()).send().unwrap();
            assert_eq!((response.status().as_u16(), response.text().unwrap()), (401, "page".to_owned()));
        }
        let found = server.got().len();
        assert!(found <= 2 * requests, "{found}");
        assert_eq!(pools.stats().in_use, 0);
        let error = pools.get(server.url()).auth(login).raise_for_status(true).send().unwrap_err();
        assert_eq!(error.status().unwrap(), 401);
        assert!(!format!("{error:?}").contains("two-ann"));
    }
}

/// The error of a scheme is that of the call, and a redirect begins anew.
#[test]
fn errors_of_a_scheme() {
    struct Broken;
    impl AuthScheme for Broken {
        fn name(&self) -> &'static str {
            "NTLM"
        }
        fn begin(&self, peer: &AuthPeer<'_>) -> hostpool::Result<Box<dyn AuthRounds>> {
            assert!(!peer.is_proxy() && peer.certificate().is_none());
            Err(Error::custom(std::io::Error::other("no ticket")))
        }
    }
    struct Unnamed;
    impl AuthScheme for Unnamed {
        fn name(&self) -> &'static str {
            "two words"
        }
        fn begin(&self, _: &AuthPeer<'_>) -> hostpool::Result<Box<dyn AuthRounds>> {
            unreachable!()
        }
    }
    let server = Ntlm::new(false, Fault::None);
    let pools = PoolManager::builder().limit(1).build().unwrap();
    let error = pools.get(server.url()).auth(Auth::scheme(Broken)).send().unwrap_err();
    assert!(error.to_string().starts_with("no ticket"), "{error}");
    assert!(error.maybe_processed());
    assert_eq!(pools.stats().in_use, 0);
    assert!(pools.get(server.url()).auth(Auth::scheme(Unnamed)).send().is_err());
}
