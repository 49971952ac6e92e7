//! `connect`, and the ways to give a connection up.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use hostpool::{CancelToken, CloseReason, ConnectionPool, Error, ErrorKind, PoolManager, Session, Timeout, dialer_fn};

use crate::steady;
use crate::support::{Server, Step, answer, answers, eventually, ok, refusing, without_hanging};

const REQUEST: &[u8] = b"GET /raw HTTP/1.1\r\nHost: h\r\n\r\n";

fn pools() -> PoolManager {
    PoolManager::builder().retries(0).build().unwrap()
}

/// Sends a request over the connection, and reads its response to the end.
fn exchange(mut stream: impl Read + Write) -> io::Result<Vec<u8>> {
    stream.write_all(REQUEST)?;
    let mut response = vec![0; ok("fine").len()];
    stream.read_exact(&mut response)?;
    Ok(response)
}

/// BC-14. A connection counts, and whoever finds the limit used up waits for it.
#[test]
fn it_counts_towards_the_limit() {
    let server = steady();
    let pools = PoolManager::builder().limit(1).build().unwrap();
    let connection = pools.connect(server.url("/")).unwrap();
    assert_eq!((pools.stats().in_use, pools.stats().open), (1, 1));
    let (waiting, url) = (pools.clone(), server.url("/"));
    let call = thread::spawn(move || waiting.get(url).send().unwrap().is_reused());
    eventually("a wait", || pools.stats().waiting == 1);
    connection.release();
    assert!(call.join().unwrap(), "the connection that was given back");
    assert_eq!(server.seen.accepted(), 1);

    let held = pools.connect(server.url("/")).unwrap();
    let refused = pools.get(server.url("/")).pool_timeout(Duration::ZERO).connect().unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::PoolTimeout { in_use: 1, held_here: 1, .. }), "{refused:?}");
    drop(held);
}

type GiveUp = fn(hostpool::Connection) -> Option<Box<dyn hostpool::Transport>>;

/// CN-02, CN-04, CN-05, CN-06. What each way of giving a connection up does to it and to its slot.
#[test]
fn ways_to_give_it_up() {
    let table: [(&str, GiveUp, usize, bool, Option<CloseReason>); 4] = [
        (
            "CN-04 close",
            |connection| {
                connection.close();
                None
            },
            0,
            false,
            Some(CloseReason::ClosedByCaller),
        ),
        (
            "CN-05 release",
            |connection| {
                connection.release();
                None
            },
            1,
            true,
            None,
        ),
        ("CN-06 detach", |connection| Some(connection.detach()), 0, true, Some(CloseReason::Detached)),
        (
            "drop",
            |connection| {
                drop(connection);
                None
            },
            0,
            false,
            Some(CloseReason::ClosedByCaller),
        ),
    ];
    for (row, give_up, idle, stays_open, reason) in table {
        let server = steady();
        let pools = PoolManager::builder().limit(1).build().unwrap();
        let connection = pools.connect(server.url("/")).unwrap();
        eventually("the connection", || server.seen.open() == 1);
        assert!(!connection.is_closed(), "{row}");
        let kept = give_up(connection);
        let stats = pools.stats();
        assert_eq!((stats.idle, stats.open, stats.in_use), (idle, idle, 0), "{row}");
        if let Some(reason) = reason {
            assert_eq!(stats.closed(reason), 1, "{row}");
        }
        match stays_open {
            true => assert_eq!(server.seen.open(), 1, "{row}"),
            false => eventually(row, || server.seen.open() == 0),
        }
        // The slot is free.
        assert_eq!(pools.get(server.url("/")).send().unwrap().text().unwrap(), "fine", "{row}");
        drop(kept);
    }
}

/// How the caller uses a connection before it is released, and why it is then closed; `None` if it is kept.
#[test]
fn what_is_not_used_again() {
    type Use = fn(&mut hostpool::Connection);
    let answered = || answers(ok("fine"));
    let table: [(&str, Vec<Step>, Use, Option<CloseReason>); 8] = [
        ("untouched", answered(), |_| {}, None),
        ("a whole exchange", answered(), |connection| drop(exchange(connection).unwrap()), None),
        (
            "a response that is still to come",
            vec![Step::Request, Step::UntilClosed],
            |connection| connection.write_all(REQUEST).unwrap(),
            Some(CloseReason::BodyAbandoned),
        ),
        (
            "a second request after a whole exchange",
            answers(ok("fine")),
            |connection| {
                exchange(&mut *connection).unwrap();
                connection.write_all(REQUEST).unwrap();
            },
            Some(CloseReason::BodyAbandoned),
        ),
        (
            "half a response",
            answered(),
            |connection| {
                connection.write_all(REQUEST).unwrap();
                connection.read_exact(&mut [0; 10]).unwrap();
            },
            Some(CloseReason::UnexpectedBytes),
        ),
        (
            "the peer has closed",
            answer(ok("fine")),
            |connection| {
                exchange(&mut *connection).unwrap();
                eventually("the close", || connection.is_closed());
            },
            Some(CloseReason::PeerClosed),
        ),
        (
            "the end was read",
            answer(ok("fine")),
            |connection| {
                exchange(&mut *connection).unwrap();
                assert_eq!(connection.read(&mut [0; 10]).unwrap(), 0);
                assert!(connection.is_closed());
            },
            Some(CloseReason::Failed),
        ),
        (
            "a read timed out, and nothing is owed",
            answered(),
            |connection| {
                for limit in [Duration::from_millis(10), Duration::ZERO] {
                    connection.set_timeout(limit, None);
                    let error = connection.read(&mut [0; 10]).unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    assert!(Error::from_io(&error).unwrap().is_timeout(), "{error}");
                }
            },
            None,
        ),
    ];
    for (row, script, uses, reason) in table {
        let server = Server::new(vec![script, answers(ok("next"))]);
        let pools = pools();
        let mut connection = pools.connect(server.url("/")).unwrap();
        uses(&mut connection);
        connection.release();
        let stats = pools.stats();
        assert_eq!(stats.idle, usize::from(reason.is_none()), "{row}: {stats:?}");
        if let Some(reason) = reason {
            assert_eq!(stats.closed(reason), 1, "{row}: {stats:?}");
        }
        let response = pools.get(server.url("/")).send().unwrap();
        assert_eq!(response.is_reused(), reason.is_none(), "{row}");
        assert_eq!(response.text().unwrap(), if reason.is_none() { "fine" } else { "next" }, "{row}");
    }
}

/// CN-05. A released connection is kept for as long as any idle one.
#[test]
fn a_released_connection_expires() {
    let server = steady();
    let pools = PoolManager::builder().idle_timeout(Duration::from_nanos(1)).build().unwrap();
    pools.connect(server.url("/")).unwrap().release();
    assert!(!pools.get(server.url("/")).send().unwrap().is_reused());
    assert_eq!(pools.stats().closed(CloseReason::IdleTimeout), 1);
}

/// One thread reads while another writes, and while the client is closed.
#[test]
fn by_two_threads() {
    let server =
        Server::new(vec![vec![Step::Tell("there"), Step::Record(4), Step::Send(b"back".to_vec()), Step::UntilClosed]]);
    let pools = pools();
    let connection = pools.connect(server.url("/")).unwrap();
    server.wait_for("there");
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut back = [0; 4];
            (&connection).read_exact(&mut back).unwrap();
            assert_eq!(&back, b"back");
            (&connection).read(&mut back).unwrap_err()
        });
        (&connection).write_all(b"over").unwrap();
        eventually("the bytes", || server.seen.rest() == [b"over"]);
        pools.close();
        let error = reader.join().unwrap();
        assert!(Error::from_io(&error).unwrap().is_closed(), "{error}");
    });
    assert!(connection.is_closed());
    let error = (&connection).write(b"x").unwrap_err();
    assert!(Error::from_io(&error).unwrap().is_closed(), "{error}");
}

/// The token and the bounds of the call that took the connection.
#[test]
fn what_ends_reads_and_writes() {
    let server = Server::with(|_| vec![Step::UntilClosed]);
    let (pools, token) = (pools(), CancelToken::new());
    // The total timeout is of the call, which has ended.
    let short = Timeout::new().total(Duration::from_secs(600)).read(Duration::from_millis(10));
    let mut connection = pools.get(server.url("/")).timeout(short).cancel_with(&token).connect().unwrap();
    for _ in 0..2 {
        let error = connection.read(&mut [0; 1]).unwrap_err();
        assert_eq!(Error::from_io(&error).unwrap().kind(), &ErrorKind::Timeout(hostpool::Bound::Read), "{error}");
    }
    connection.set_timeout(None, None);
    let (cancelled, error) = without_hanging(move || {
        thread::scope(|scope| {
            scope.spawn(|| token.cancel());
            let error = connection.read(&mut [0; 1]).unwrap_err();
            (Error::from_io(&error).unwrap().is_cancelled(), error)
        })
    });
    assert!(cancelled, "{error}");
    assert_eq!(pools.stats().open, 0);
}

/// CN-06. A detached transport belongs to the caller: the close of its pool, its limit and its token do not concern it.
#[test]
fn detached() {
    let server = steady();
    let (pools, token) = (PoolManager::builder().limit(1).build().unwrap(), CancelToken::new());
    let connection = pools.get(server.url("/")).cancel_with(&token).connect().unwrap();
    let mut transport = connection.detach();
    // The slot is free: this does not wait.
    let second = pools.connect(server.url("/")).unwrap();
    eventually("both", || server.seen.open() == 2);
    token.cancel();
    pools.cancel_all();
    pools.close();
    assert_eq!(exchange(&mut transport).unwrap(), ok("fine"));
    drop(second);

    // A dialer gives it to another pool.
    let transport = std::sync::Mutex::new(Some(transport));
    let dialer = dialer_fn(move |_, _| Ok(transport.lock().unwrap().take().expect("it is asked once")));
    let other = ConnectionPool::builder(server.url("")).dialer(dialer).build().unwrap();
    assert_eq!(other.get("/").send().unwrap().text().unwrap(), "fine");
    drop(other);
    eventually("the close", || server.seen.open() == 0);
}

/// The clients that have `connect`, and what it says of a connection.
#[test]
fn of_every_client() {
    let server = steady();
    let session = Session::new();
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let manager = pools();
    let part = manager.connection_from_url(server.url("")).unwrap();
    let url = server.url("/");
    let takes: [(&str, &dyn Fn() -> hostpool::Result<hostpool::Connection>); 4] = [
        ("session", &|| session.connect(&url)),
        ("pool", &|| pool.connect()),
        ("manager", &|| manager.connect(&url)),
        ("part of the manager", &|| part.connect()),
    ];
    for (row, take) in takes {
        let reused = row.starts_with("part");
        let connection = take().unwrap();
        let info = connection.info();
        assert_eq!((info.remote, info.encrypted, info.reused), (Some(server.addr), false, reused), "{row}");
        assert_eq!(connection.origin().to_string(), server.url(""), "{row}");
        let text = format!("{connection:?}");
        assert!(text.contains(&server.addr.to_string()), "{text}");
        assert_eq!(exchange(&connection).unwrap(), ok("fine"), "{row}");
        connection.release();
    }
    // What was sent by hand and what the client sends go over one connection.
    assert!(session.get(&url).send().unwrap().is_reused());
    assert!(server.seen.requests().iter().filter(|request| request.starts_with("GET /raw ")).count() == 4);
}

/// Errors are those of a request that is not sent.
#[test]
fn what_fails() {
    let (_socket, address) = refusing();
    let server = steady();
    let closed = pools();
    closed.close();
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let table = [
        ("nobody listens", pools().connect(format!("http://{address}/")), ErrorKind::Connect),
        ("closed", closed.connect(server.url("/")), ErrorKind::Closed),
        ("another host", pool.get("http://other.example/").connect(), ErrorKind::HostChanged),
        (
            "a bound of zero",
            pool.get("/").timeout(Duration::ZERO).connect(),
            ErrorKind::Timeout(hostpool::Bound::Total),
        ),
        ("not encrypted", pool.get("/").https_only(true).connect(), ErrorKind::InvalidRequest),
    ];
    for (row, result, kind) in table {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), &kind, "{row}: {error}");
        assert!(!error.maybe_processed(), "{row}");
    }
    assert_eq!(pool.stats().open, 0);
}

/// Over TLS the stream is that inside the encryption.
#[cfg(feature = "rustls")]
#[test]
fn encrypted() {
    let authority = crate::tls::Authority::new();
    let server = crate::tls::TlsServer::new(authority.server(), |peer| {
        loop {
            peer.request()?;
            peer.send(ok("fine"))?;
        }
    });
    let pool = server.pool(&authority.trusted());
    let connection = pool.connect().unwrap();
    assert!(connection.info().encrypted);
    assert_eq!(exchange(&connection).unwrap(), ok("fine"));
    connection.release();
    assert!(pool.get("/").send().unwrap().is_reused());
    let transport = pool.connect().unwrap().detach();
    pool.close();
    assert_eq!(exchange(transport).unwrap(), ok("fine"));
    assert_eq!(server.seen.accepted(), 1);
}
