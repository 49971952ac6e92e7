//! What is known of a connection, and what it takes to use it again: CONN.

use std::io::Read;

use hostpool::{ConnectionPool, Method, Response};

use crate::scripts::{line_server, lines, outcome};
use crate::support::{Server, Step, answer, answers, ok};

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("/")).maxsize(1).block(true).build().unwrap()
}

#[test]
fn before_and_after() {
    let server = Server::new(vec![answers(ok("done"))]);
    let pool = pool(&server);
    let stats = pool.stats();
    assert_eq!((stats.open, stats.idle, stats.created), (0, 0, 0), "CONN-01: a pool begins without a connection");
    assert_eq!(server.seen.accepted(), 0, "CONN-01");
    let response = pool.get("/").send().unwrap();
    let connection = response.connection().unwrap();
    assert_eq!(
        (connection.remote, connection.encrypted, connection.reused),
        (Some(server.addr), false, false),
        "CONN-01"
    );
    assert_eq!((pool.stats().open, pool.stats().in_use), (1, 1), "CONN-01");
    response.bytes().unwrap();
    pool.clear();
    let stats = pool.stats();
    assert_eq!((stats.open, stats.idle), (0, 0), "CONN-03: as before");
    let response = pool.get("/").send().unwrap();
    assert!(!response.is_reused(), "CONN-03");
    pool.close();
    drop(response);
    assert_eq!((pool.stats().open, pool.stats().idle), (0, 0), "CONN-03: as before");
}

/// What a caller does with a response, whether its connection is used again, and what is left to read then.
type Done = (&'static str, Vec<u8>, fn(&mut Response), bool, Option<&'static str>);

#[test]
fn what_becomes_of_a_connection() {
    let part: fn(&mut Response) = |response| response.read_exact(&mut [0; 2]).unwrap();
    let release: fn(&mut Response) = |response| response.release();
    let chunked = || b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n".to_vec();
    let table: Vec<Done> = vec![
        ("CONN-07", ok("done"), release, true, None),
        ("CONN-07 chunked", chunked(), release, true, None),
        ("CONN-13", ok(&"x".repeat(1000)), release, true, None),
        (
            "CONN-13 in the middle",
            ok(&"x".repeat(1000)),
            |response| {
                response.read_exact(&mut [0; 10]).unwrap();
                response.release();
            },
            true,
            None,
        ),
        (
            "CONN-06 twice",
            ok("done"),
            |response| {
                response.release();
                response.release();
            },
            true,
            None,
        ),
        (
            "CONN-06 behind its end",
            ok("done"),
            |response| {
                response.load().unwrap();
                response.release();
            },
            true,
            Some("done"),
        ),
        ("CONN-18 closed", ok("done"), |response| response.close(), false, None),
        (
            "CONN-18 closed by the server",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndone".to_vec(),
            release,
            false,
            None,
        ),
        ("CONN-06 begun", ok("done"), part, true, Some("ne")),
    ];
    for (row, bytes, set, reused, rest) in table {
        let script = if reused { answers(&bytes) } else { answer(&bytes) };
        let server = Server::new(vec![script, answers(ok("next"))]);
        let pool = pool(&server);
        let mut response = pool.get("/").send().unwrap();
        set(&mut response);
        if rest == Some("ne") {
            assert_eq!(pool.stats().in_use, 1, "{row}");
            assert_eq!(response.text().unwrap(), "ne", "{row}");
        } else {
            assert!(response.connection().is_none(), "{row}");
            assert_eq!(pool.stats().idle, usize::from(reused), "{row}");
            assert_eq!(response.text().ok().as_deref(), rest, "{row}");
        }
        assert_eq!(pool.stats().in_use, 0, "{row}");
        let next = pool.urlopen(Method::GET, "/").send().unwrap();
        assert_eq!(next.is_reused(), reused, "{row}");
        assert_eq!(server.seen.accepted(), if reused { 1 } else { 2 }, "{row}");
    }
    // Of a client that is gone already.
    let server = line_server([ok("done")]);
    let mut response = hostpool::get(server.url("/")).send().unwrap();
    response.release();
    response.release();
    assert!(response.connection().is_none(), "CONN-06");
}

#[test]
fn closed_while_nobody_looked() {
    let server = Server::new(vec![
        [answer(ok("done")), vec![Step::Tell("closing")]].concat(),
        [answer(ok("done")), vec![Step::Reset, Step::Tell("closing")]].concat(),
        answers(ok("done")),
    ]);
    let pool = pool(&server);
    for _ in 0..2 {
        assert_eq!(outcome(&pool.urlopen(Method::GET, "/").send()), "200", "CONN-18");
        server.wait_for("closing");
    }
    assert_eq!(outcome(&pool.urlopen(Method::GET, "/").send()), "200", "CONN-18");
    assert_eq!((lines(&server).len(), server.seen.accepted()), (3, 3), "CONN-18");
    assert_eq!((pool.num_connections(), pool.stats().idle), (3, 1), "CONN-18");
}
