//! What happens to idle connections while nobody uses the pool, where a reaper was asked for.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hostpool::observe::Closed;
use hostpool::{CloseReason, ConnectionPool, ConnectionPoolBuilder, Listener};

use crate::support::{GIVE_UP, Server, Step, answers, eventually, ok};

struct Closings(Mutex<Sender<(u64, CloseReason)>>);

impl Listener for Closings {
    fn closed(&self, event: &Closed<'_>) {
        let _ = self.0.lock().unwrap().send((event.id, event.reason));
    }
}

type Told = Receiver<(u64, CloseReason)>;

fn pool(server: &Server, set: impl Fn(ConnectionPoolBuilder) -> ConnectionPoolBuilder) -> (ConnectionPool, Told) {
    let (tell, told) = channel();
    let builder = ConnectionPool::builder(server.url("")).listener(Closings(Mutex::new(tell)));
    (set(builder.reaper(Duration::ZERO).idle_timeout(None)).build().unwrap(), told)
}

/// The number of the connection that was used.
fn get(pool: &ConnectionPool) -> u64 {
    let response = pool.get("/").send().unwrap();
    let id = response.connection().unwrap().id;
    assert_eq!(response.text().unwrap(), "fine");
    id
}

/// Each row: what the server does to a connection that sits idle, and why it is closed, without a next request.
#[test]
fn what_the_server_closes() {
    let unasked = Step::Send(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n".to_vec());
    let table: [(&str, Vec<Step>, CloseReason); 4] = [
        ("closes", vec![], CloseReason::PeerClosed),
        ("ends its side", vec![Step::HalfClose, Step::UntilClosed], CloseReason::PeerClosed),
        ("resets", vec![Step::Reset, Step::Hold], CloseReason::PeerClosed),
        ("speaks unasked", vec![unasked, Step::UntilClosed], CloseReason::UnexpectedBytes),
    ];
    for (row, then, reason) in table {
        let ask = [Step::Request, Step::Send(ok("fine"))];
        let server = Server::new(vec![[&ask[..], &ask[..], &[Step::Hold], &then[..]].concat(), answers(ok("fine"))]);
        let (pool, told) = pool(&server, |builder| builder);
        let id = get(&pool);
        assert_eq!(get(&pool), id, "{row}");
        server.gate.open();
        assert_eq!(told.recv_timeout(GIVE_UP), Ok((id, reason)), "{row}");
        let stats = pool.stats();
        assert_eq!((stats.closed(reason), stats.created), (1, 1), "{row}");
        assert_ne!(get(&pool), id, "{row}");
    }
}

/// What expires goes by itself, and for its own reason; what is in use stays.
#[test]
fn what_expires() {
    let brief = Duration::from_millis(1);
    type Set = fn(ConnectionPoolBuilder, Duration) -> ConnectionPoolBuilder;
    let table: [(&str, Set, CloseReason); 2] = [
        ("idle", |builder, brief| builder.idle_timeout(brief), CloseReason::IdleTimeout),
        ("old", |builder, brief| builder.max_age(brief), CloseReason::MaxAge),
    ];
    for (row, set, reason) in table {
        let server = Server::with(|_| answers(ok("fine")));
        let (pool, told) = pool(&server, |builder| set(builder, brief));
        let used = pool.get("/").send().unwrap();
        let idle = pool.get("/").send().unwrap();
        let ids = [&used, &idle].map(|response| response.connection().unwrap().id);
        idle.text().unwrap();
        assert_eq!(told.recv_timeout(GIVE_UP), Ok((ids[1], reason)), "{row}");
        // It is told of just before its place is free.
        eventually("its end", || pool.stats().open == 1);
        assert_eq!(used.text().unwrap(), "fine", "{row}");
        assert_eq!(told.recv_timeout(GIVE_UP), Ok((ids[0], reason)), "{row}");
        eventually("its end", || pool.stats().open == 0);
    }
}
