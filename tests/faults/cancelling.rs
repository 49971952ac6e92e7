//! Tokens that fire at any moment of a call: nothing is left, and the pool goes on.

use std::thread;
use std::time::Duration;

use hostpool::{CancelToken, ErrorKind, PoolManager, Retry, Timeout};

use crate::invariants::{exclusive, presentable, settled};
use crate::support::{GIVE_UP, Server, Step, answers, ok};

/// Fires after this many rounds of the loop, so that each call of a row is ended elsewhere.
fn fire(token: &CancelToken, rounds: u32) -> thread::JoinHandle<()> {
    let token = token.clone();
    thread::spawn(move || {
        (0..rounds).for_each(|_| std::hint::spin_loop());
        token.cancel();
    })
}

fn client() -> PoolManager {
    PoolManager::builder().retries(Retry::off()).limit(1).pool_timeout(GIVE_UP).build().unwrap()
}

#[test]
fn at_any_moment() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
    let drip = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec();
    let table = [
        ("CA head", vec![Step::Request, Step::UntilClosed]),
        ("CA half a head", vec![Step::Request, Step::Send(half[..20].to_vec()), Step::UntilClosed]),
        ("CA body", vec![Step::Request, Step::Send(half), Step::UntilClosed]),
        (
            "CA drip",
            vec![
                Step::Request,
                Step::Send(drip),
                Step::Drip(vec![b'x'; 900], Duration::from_millis(1)),
                Step::UntilClosed,
            ],
        ),
        ("CA accepted", vec![Step::UntilClosed]),
    ];
    let exclusive = exclusive();
    for (id, script) in table {
        for scheme in ["http", "https"] {
            if scheme == "https" && !cfg!(feature = "rustls") {
                continue;
            }
            let script = script.clone();
            exclusive.row(id, move || {
                let server = Server::with(move |_| script.clone());
                let client = client();
                for round in 0..20 {
                    let token = CancelToken::new();
                    let request = client
                        .put(format!("{scheme}://{}/", server.addr))
                        .data(vec![b'x'; round as usize * 1000])
                        .cancel_with(&token);
                    let firing = fire(&token, 4u32.pow(round % 10));
                    let error = request.send().and_then(|response| response.bytes()).unwrap_err();
                    firing.join().unwrap();
                    assert_eq!(error.kind(), &ErrorKind::Cancelled, "{id}: {error:?}");
                    presentable(id, &error);
                    settled(id, client.stats());
                }
                let next = Server::with(|_| answers(ok("next")));
                assert_eq!(client.get(next.url("/")).send().unwrap().text().unwrap(), "next", "{id}");
            });
        }
    }
}

/// A lookup that is left behind keeps a thread of the crate for its time, and no more.
#[test]
fn in_a_lookup() {
    let exclusive = exclusive();
    exclusive.row("CA lookup", || {
        let client = client();
        let token = CancelToken::new();
        let request = client.get("http://no-such-host.invalid/").cancel_with(&token).timeout(Timeout::new());
        let firing = fire(&token, 1000);
        let error = request.send().unwrap_err();
        firing.join().unwrap();
        assert!(matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Resolve), "{error:?}");
        settled("CA lookup", client.stats());
    });
}

/// Closing the client, dropping it and its responses, all while calls wait.
#[test]
fn everything_is_dropped() {
    let exclusive = exclusive();
    for id in ["CA close", "CA cancel_all"] {
        exclusive.row(id, move || {
            let server = Server::with(|_| vec![Step::Request, Step::UntilClosed]);
            let client = PoolManager::builder().retries(Retry::off()).limit(2).build().unwrap();
            let calls: Vec<_> = (0..8)
                .map(|_| {
                    let request = client.get(server.url("/")).timeout(Timeout::new().pool(GIVE_UP));
                    thread::spawn(move || request.send())
                })
                .collect();
            while client.stats().in_use < 2 || client.stats().waiting < 6 {
                thread::yield_now();
            }
            if id == "CA close" {
                client.close()
            } else {
                client.cancel_all()
            }
            for call in calls {
                let error = call.join().unwrap().unwrap_err();
                assert!(error.is_closed() || error.is_cancelled(), "{id}: {error:?}");
            }
            settled(id, client.stats());
        });
    }
}
