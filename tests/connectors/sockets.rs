//! Options of sockets, and a function that makes them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostpool::{
    ConnectionPool, DialContext, Dialer, ErrorKind, PoolContext, PoolManager, Session, SocketOption, Target, TcpDialer,
    Timeout, Url,
};
use socket2::{Domain, Socket, Type};

use crate::steady;
use crate::support::{chain, refusing};

fn plain(address: &SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(*address), Type::STREAM, None)
}

/// The function is asked once for each connection, with its address, and its socket is the one that is used.
#[test]
fn a_function_makes_the_sockets() {
    let server = steady();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let pool = ConnectionPool::builder(server.url(""))
        .socket_factory(move |address| {
            let socket = plain(address)?;
            socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
            // A mode that this crate does not use.
            socket.set_nonblocking(true)?;
            log.lock().unwrap().push((*address, socket.try_clone()?));
            Ok(socket)
        })
        .socket_options([SocketOption::NoDelay(true)])
        .build()
        .unwrap();
    for _ in 0..2 {
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].0, server.addr);
    let used = &asked[0].1;
    assert_eq!(used.peer_addr().unwrap().as_socket(), Some(server.addr));
    assert!(used.tcp_nodelay().unwrap());
    // It waits inside the system, as every socket of this crate.
    #[cfg(unix)]
    assert!(!used.nonblocking().unwrap());
}

/// An error of the function is one of the address.
#[test]
fn a_function_that_fails() {
    let server = steady();
    let count = Arc::new(AtomicUsize::new(0));
    let calls = count.clone();
    let session = Session::builder()
        .socket_factory(move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            Err::<Socket, _>(io::Error::other("the broker is gone"))
        })
        .build()
        .unwrap();
    let error = session.get(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Connect);
    let text = chain(&error);
    assert!(text.contains("the socket factory: the broker is gone"), "{text}");
    assert_eq!((count.load(Ordering::SeqCst), server.seen.accepted()), (1, 0));
}

/// A panic of the function is the caller's, and its slot comes back.
#[test]
fn a_function_that_panics() {
    let server = steady();
    let first = AtomicUsize::new(0);
    let pool = ConnectionPool::builder(server.url(""))
        .limit(1)
        .socket_factory(move |address| match first.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("canary"),
            _ => plain(address),
        })
        .build()
        .unwrap();
    assert!(std::panic::catch_unwind(|| pool.get("/").send()).is_err());
    assert_eq!(pool.stats().open, 0);
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
}

/// Two functions make two pools of a manager, and one context with its clones makes one.
#[test]
fn a_function_is_part_of_the_key() {
    let pools = PoolManager::new();
    let context = || PoolContext::new("http://h/").unwrap().socket_factory(plain);
    let (one, other) = (context(), context());
    let pool = |context: &PoolContext| pools.connection_from_context(context.clone()).unwrap();
    assert!(pool(&one) == pool(&one));
    assert!(pool(&one) != pool(&other));
    assert!(pool(&one) != pools.connection_from_url("http://h/").unwrap());
}

/// A `TcpDialer` has the function, too.
#[test]
fn of_a_dialer() {
    let server = steady();
    let count = Arc::new(AtomicUsize::new(0));
    let calls = count.clone();
    let dialer = TcpDialer::new().socket_factory(move |address| {
        calls.fetch_add(1, Ordering::SeqCst);
        plain(address)
    });
    let pool = ConnectionPool::builder(server.url("")).dialer(dialer).build().unwrap();
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

/// Options that no system takes fail when the client is built, whatever builder has them.
#[test]
fn options_are_checked_at_once() {
    let wrong = || [SocketOption::KeepAlive { idle: Some(Duration::ZERO), interval: None, retries: None }];
    let context = PoolContext::new("http://h/").unwrap().socket_options(wrong());
    let dialed = {
        let url = Url::parse("http://127.0.0.1:1/").unwrap();
        TcpDialer::new().socket_options(wrong()).dial(&Target::from(&url), &DialContext::new(Timeout::new())).map(drop)
    };
    for result in [
        Session::builder().socket_options(wrong()).build().map(drop),
        PoolManager::builder().socket_options(wrong()).build().map(drop),
        PoolManager::new().connection_from_context(context).map(drop),
        dialed,
    ] {
        assert_eq!(result.unwrap_err().kind(), &ErrorKind::InvalidConfig);
    }
}

/// Options that only some systems have are a clear error elsewhere, and not a missing name.
#[test]
fn options_of_one_system() {
    let (_socket, address) = refusing();
    for option in [SocketOption::UserTimeout(Duration::from_secs(1)), SocketOption::BindDevice("lo".to_owned())] {
        let built = ConnectionPool::builder(format!("http://{address}")).socket_options([option]).retries(0).build();
        if cfg!(any(target_os = "linux", target_os = "android")) {
            assert_eq!(built.unwrap().get("/").send().unwrap_err().kind(), &ErrorKind::Connect);
        } else {
            assert_eq!(built.unwrap_err().kind(), &ErrorKind::Unsupported);
        }
    }
}
