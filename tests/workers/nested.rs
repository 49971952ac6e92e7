//! Requests that are submitted by code that runs on a worker.

use std::sync::{Arc, OnceLock};

use hostpool::{Next, Request, Session};

use crate::Echo;
use crate::support::without_hanging;

/// Each request of `/outer` waits for others, with as many workers as there are such requests. Nobody waits for ever: a
/// worker that waits for a request which nobody has begun sends it itself.
#[test]
fn middleware_that_submits() {
    for (workers, with_batch) in [(1, false), (4, false), (1, true), (4, true)] {
        let server = Echo::new();
        let inner = server.url("/inner");
        let own = Arc::new(OnceLock::<Session>::new());
        let session = {
            let own = own.clone();
            let builder = Session::builder().workers(workers).middleware(move |request: Request, next: Next<'_>| {
                let session = own.get().unwrap();
                if request.url().path() == "/outer" {
                    let requests = || [session.get(&inner), session.get(&inner)];
                    match with_batch {
                        true => session.batch(requests()).width(2).try_for_each(|(_, result)| result.map(drop))?,
                        false => {
                            let all = requests().map(|request| session.submit(request));
                            all.into_iter().try_for_each(|one| one.wait().map(drop))?;
                        }
                    }
                }
                next.run(request)
            });
            builder.build().unwrap()
        };
        own.set(session.clone()).ok().unwrap();
        let outer = server.url("/outer");
        without_hanging(move || {
            let all: Vec<_> = (0..8).map(|_| session.submit(session.get(&outer))).collect();
            all.into_iter().for_each(|one| assert_eq!(one.wait().unwrap().text().unwrap(), "/outer"));
        });
        assert_eq!(server.paths().len(), 8 * 3);
        // The session and its middleware own each other. Nothing else would end the threads.
        own.get().unwrap().close();
    }
}

/// The only workers of two clients wait for each other's requests.
#[test]
fn two_clients() {
    let server = Echo::new();
    let clients: Arc<[OnceLock<Session>; 2]> = Arc::default();
    for (client, path) in ["/0", "/1"].into_iter().enumerate() {
        let (all, inner) = (clients.clone(), server.url("/inner"));
        let builder = Session::builder().workers(1).middleware(move |request: Request, next: Next<'_>| {
            if request.url().path() == path {
                let other = all[1 - client].get().unwrap();
                other.submit(other.get(&inner)).wait()?;
            }
            next.run(request)
        });
        clients[client].set(builder.build().unwrap()).ok().unwrap();
    }
    let urls = [server.url("/0"), server.url("/1")];
    let sessions = [0, 1].map(|client| clients[client].get().unwrap().clone());
    without_hanging(move || {
        let both = || (0..2).map(|client| sessions[client].submit(sessions[client].get(&urls[client])));
        let all: Vec<_> = (0..10).flat_map(|_| both()).collect();
        all.into_iter().for_each(|one| assert_eq!(one.wait().unwrap().status(), 200));
    });
    assert_eq!(server.paths().len(), 40);
    clients.iter().for_each(|client| client.get().unwrap().close());
}
