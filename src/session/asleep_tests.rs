//! Tests of the idle clock over real sockets. The test sets the clock forward, as if the machine had slept.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use super::Session;
use crate::close_reason::CloseReason;
use crate::pool::stats::PoolStats;
use crate::pools::{ConnectionPool, PoolManager};
use crate::time::sleep_machine;

const EIGHT_HOURS: Duration = Duration::from_secs(8 * 60 * 60);

/// Starts a server that answers every request with `fields` in the head, and closes no connection.
fn server(fields: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n{fields}\r\nfine");
                while stream.read(&mut [0; 4096]).is_ok_and(|len| len > 0) {
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    address
}

/// RW-03: the server closed its connections while the machine slept, and the client could not notice. A connection that
/// was idle meanwhile is not used, whatever the monotonic clock says. The name of a row is the setting that bounds the
/// idle time.
#[test]
fn a_machine_that_slept() {
    type Row = (&'static str, &'static str, Duration, CloseReason);
    let table: [Row; 4] = [
        ("idle_timeout", "", EIGHT_HOURS, CloseReason::IdleTimeout),
        ("idle_timeout, two minutes", "", Duration::from_secs(120), CloseReason::IdleTimeout),
        ("Keep-Alive", "Keep-Alive: timeout=20\r\n", Duration::from_secs(25), CloseReason::IdleTimeout),
        ("max_age", "", EIGHT_HOURS, CloseReason::MaxAge),
    ];
    for (row, fields, sleep, reason) in table {
        let address = server(fields);
        let url = format!("http://{address}/");
        let old = (reason == CloseReason::MaxAge).then_some(Duration::from_secs(3600));
        let session = Session::new();
        let manager = PoolManager::builder().max_age(old).build().unwrap();
        let pool = ConnectionPool::builder(&url).max_age(old).build().unwrap();
        type Get<'a> = &'a dyn Fn() -> (crate::RequestBuilder, PoolStats);
        let clients: [(&str, Get<'_>); 3] = [
            ("session", &|| (session.get(&url), session.connector().unwrap().stats())),
            ("manager", &|| (manager.get(&url), manager.stats())),
            ("pool", &|| (pool.get("/"), pool.stats())),
        ];
        // A session has no max_age.
        let skipped = usize::from(old.is_some());
        for (client, get) in clients.into_iter().skip(skipped) {
            let sent = || assert_eq!(get().0.send().unwrap().text().unwrap(), "fine", "{row}, {client}");
            sent();
            sent();
            assert_eq!((get().1.created, get().1.reused), (1, 1), "{row}, {client}");
            sleep_machine(sleep);
            sent();
            assert_eq!((get().1.created, get().1.closed(reason)), (2, 1), "{row}, {client}");
            sent();
            assert_eq!(get().1.created, 2, "{row}, {client}");
        }
    }
}
