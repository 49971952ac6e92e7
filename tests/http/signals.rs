//! Signals that arrive while a call is blocked.
#![cfg(target_os = "linux")]

use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hostpool::{Bound, ConnectionPool, ErrorKind, Phase, Timeout};

const SIGUSR1: i32 = 10;

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn pthread_self() -> usize;
    fn pthread_kill(thread: usize, number: i32) -> i32;
}

extern "C" fn nothing(_: i32) {}

/// Rows C10 and C13: a Unix socket whose backlog is full has not begun to connect when a signal comes.
#[test]
fn while_a_unix_socket_waits_for_the_backlog() {
    // SAFETY: the handler does nothing.
    unsafe { signal(SIGUSR1, nothing) };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let _fill = UnixStream::connect(&path).unwrap();
    let url = format!("http+unix://{}", path.to_str().unwrap().replace('/', "%2F"));
    let pool = ConnectionPool::builder(&url).build().unwrap();
    let (tell, told) = mpsc::channel();
    let caller = thread::spawn(move || {
        // SAFETY: it has no preconditions.
        tell.send(unsafe { pthread_self() }).unwrap();
        pool.get("/").timeout(Timeout::new().connect(Duration::from_millis(500))).send().map(drop)
    });
    let thread = told.recv().unwrap();
    while !caller.is_finished() {
        // SAFETY: the thread has not been joined.
        unsafe { pthread_kill(thread, SIGUSR1) };
        thread::sleep(Duration::from_millis(7));
    }
    let error = caller.join().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Connect), Phase::Connect), "{error:?}");
}
