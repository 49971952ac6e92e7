//! Threads end when nothing is left for them.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};

use hostpool::{Next, Request, Response, Session};

use crate::Echo;
use crate::support::GIVE_UP;

/// Tells that the thread which has it as a thread-local ends.
struct Ends(Sender<()>);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local! {
    static ENDS: RefCell<Option<Ends>> = const { RefCell::new(None) };
}

/// A session whose threads tell that they begin and that they end.
fn session() -> (Session, Receiver<()>, Receiver<()>) {
    let ((begin, begun), (end, ended)) = (channel(), channel());
    let middleware = move |request: Request, next: Next<'_>| {
        ENDS.with_borrow_mut(|ends| {
            if ends.is_none() {
                *ends = Some(Ends(end.clone()));
                begin.send(()).unwrap();
            }
        });
        next.run(request)
    };
    (Session::builder().workers(4).middleware(middleware).build().unwrap(), begun, ended)
}

fn all_end(begun: &Receiver<()>, ended: &Receiver<()>) -> usize {
    // The middleware is gone with the last thread, and its senders with it.
    let ends = std::iter::from_fn(|| ended.recv_timeout(GIVE_UP).ok()).count();
    assert_eq!(begun.try_iter().count(), ends);
    ends
}

/// Whatever is dropped first and last, and wherever the requests are, no thread stays.
#[test]
fn whatever_is_dropped() {
    type Drops = fn(&Echo, Session);
    let rows: [(&str, Drops); 8] = [
        ("idle threads", |server, session| {
            session.submit(session.get(server.url("/"))).wait().unwrap();
        }),
        ("the session before its result", |server, session| {
            let pending = session.submit(session.get(server.url("/hold")));
            drop(session);
            server.release("/hold");
            assert_eq!(pending.wait().unwrap().text().unwrap(), "/hold");
        }),
        ("the session while requests wait for a thread", |server, session| {
            let all: Vec<_> = (0..20).map(|_| session.submit(session.get(server.url("/hold")))).collect();
            drop(session);
            (0..20).for_each(|_| server.release("/hold"));
            all.into_iter().for_each(|one| assert_eq!(one.wait().unwrap().status(), 200));
        }),
        ("the results, while they are at the server", |server, session| {
            let all: Vec<_> = (0..4).map(|_| session.submit(session.get(server.url("/hold")))).collect();
            server.has(4);
            drop((all, session));
        }),
        ("the session, then the results", |server, session| {
            let all: Vec<_> = (0..20).map(|_| session.submit(session.get(server.url("/hold")))).collect();
            server.has(4);
            drop(session);
            drop(all);
        }),
        ("a response last", |server, session| {
            let response: Response = session.submit(session.get(server.url("/"))).wait().unwrap();
            drop(session);
            assert_eq!(response.text().unwrap(), "/");
        }),
        ("a batch under way", |server, session| {
            let endless = std::iter::repeat_with(|| session.get(server.url("/hold")));
            let mut batch = session.batch(endless).as_completed();
            server.release("/hold");
            batch.next().unwrap().1.unwrap();
            server.has(4);
        }),
        ("a closed session", |server, session| {
            let all: Vec<_> = (0..20).map(|_| session.submit(session.get(server.url("/hold")))).collect();
            server.has(4);
            session.close();
            all.into_iter().for_each(|one| assert!(one.wait().unwrap_err().is_closed()));
        }),
    ];
    for (what, drops) in rows {
        eprintln!("row {what}");
        let (server, (session, begun, ended)) = (Echo::new(), session());
        drops(&server, session);
        let threads = all_end(&begun, &ended);
        assert!((1..=4).contains(&threads), "{threads}");
    }
}
