//! A thousand signals a second while a call is blocked: rows C10, C13. No call notices, and no deadline moves.

use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{Bound, Error, ErrorKind, Phase, PoolManager, Timeout};

use crate::invariants::{exclusive, presentable, settled};
use crate::rows::LATE;
use crate::support::{GIVE_UP, Server, Step, ok};

const SIGALRM: i32 = 14;

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn siginterrupt(number: i32, interrupt: i32) -> i32;
    fn pthread_self() -> usize;
    fn pthread_kill(thread: usize, number: i32) -> i32;
}

extern "C" fn nothing(_: i32) {}

/// Runs `call` in a thread that gets a signal every millisecond.
fn in_a_storm<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    // SAFETY: the handler does nothing; the calls it interrupts fail, in place of beginning again.
    unsafe {
        signal(SIGALRM, nothing);
        siginterrupt(SIGALRM, 1);
    }
    let (tell, told) = mpsc::channel();
    let caller = thread::spawn(move || {
        // SAFETY: it has no preconditions.
        tell.send(unsafe { pthread_self() }).unwrap();
        call()
    });
    let thread = told.recv().unwrap();
    while !caller.is_finished() {
        // SAFETY: the thread has not been joined.
        unsafe { pthread_kill(thread, SIGALRM) };
        thread::sleep(Duration::from_millis(1));
    }
    caller.join().unwrap()
}

fn client() -> PoolManager {
    PoolManager::builder()
        .retries(hostpool::Retry::off())
        .limit(1)
        .total_limit(1)
        .pool_timeout(GIVE_UP)
        .build()
        .unwrap()
}

fn late(id: &str, error: &Error, bound: Bound, phase: Phase) {
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), phase), "{id}: {error:?}");
    presentable(id, error);
}

/// Each wait ends at its own bound, not before and not long after.
#[test]
fn calls_that_time_out() {
    let limit = Duration::from_millis(250);
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
    type Row = (&'static str, Vec<Step>, usize, Timeout, Bound, Phase);
    let table: [Row; 5] = [
        ("C10 head", vec![Step::Request, Step::UntilClosed], 0, Timeout::from(limit), Bound::Total, Phase::Head),
        (
            "C10 head, read",
            vec![Step::Request, Step::UntilClosed],
            0,
            Timeout::new().read(limit),
            Bound::Read,
            Phase::Head,
        ),
        (
            "C10 body",
            vec![Step::Request, Step::Send(half), Step::UntilClosed],
            0,
            Timeout::from(limit),
            Bound::Total,
            Phase::Body,
        ),
        ("C10 send", vec![Step::Hold], 32 << 20, Timeout::new().write(limit), Bound::Write, Phase::Send),
        ("C10 send, total", vec![Step::Hold], 32 << 20, Timeout::from(limit), Bound::Total, Phase::Send),
    ];
    let exclusive = exclusive();
    for (id, script, size, timeout, bound, phase) in table {
        exclusive.row(id, move || {
            let server = Server::new(vec![script, vec![Step::Request, Step::Send(ok("clean"))]]);
            let client = client();
            let request = client.put(server.url("/")).data(vec![0; size]).timeout(timeout);
            let started = Instant::now();
            let error = in_a_storm(move || request.send().and_then(|response| response.bytes())).unwrap_err();
            assert!(started.elapsed() >= limit && started.elapsed() < limit + LATE, "{id}");
            late(id, &error, bound, phase);
            settled(id, client.stats());
            assert_eq!(client.get(server.url("/")).send().unwrap().text().unwrap(), "clean", "{id}");
        });
    }
}

/// Connecting: over TCP the kernel goes on, a Unix socket whose backlog is full has not begun.
#[test]
fn connecting() {
    let limit = Duration::from_millis(250);
    let exclusive = exclusive();
    exclusive.row("C10 TCP", move || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let full = Duration::from_millis(100);
        let held: Vec<_> = (0..4).map(|_| std::net::TcpStream::connect_timeout(&address, full)).collect();
        assert!(held.last().unwrap().is_err(), "the backlog is full");
        no_connection("C10 TCP", format!("http://{address}/"), limit);
    });
    exclusive.row("C13 Unix", move || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let _fill = UnixStream::connect(&path).unwrap();
        no_connection("C13 Unix", format!("http+unix://{}", path.to_str().unwrap().replace('/', "%2F")), limit);
    });
}

fn no_connection(id: &str, url: String, limit: Duration) {
    let client = client();
    let request = client.get(url).timeout(Timeout::new().connect(limit));
    let started = Instant::now();
    let error = in_a_storm(move || request.send().map(drop)).unwrap_err();
    assert!(started.elapsed() >= limit && started.elapsed() < limit + LATE, "{id}");
    late(id, &error, Bound::Connect, Phase::Connect);
    assert_eq!((client.stats().open, client.stats().dial_failures), (0, 1), "{id}");
    settled(id, client.stats());
}

/// What comes slowly comes whole, in both directions.
#[test]
fn transfers() {
    exclusive().row("C10 transfers", || {
        let drip = Step::Drip(ok(&"x".repeat(100)), Duration::from_millis(2));
        let script = vec![Step::Pause(Duration::from_millis(150)), Step::Request, drip];
        let server = Server::new(vec![vec![Step::Forever(script)]]);
        let client = client();
        let request = client.put(server.url("/")).data(vec![7; 8 << 20]).timeout(GIVE_UP);
        let body = in_a_storm(move || request.send().and_then(|response| response.text())).unwrap();
        assert_eq!(body, "x".repeat(100));
        let requests = server.seen.requests.lock().unwrap();
        assert!(requests[0].1.ends_with(&[7; 1000]) && requests[0].1.len() > 8 << 20);
        assert_eq!((client.stats().created, client.stats().idle), (1, 1));
        settled("C10 transfers", client.stats());
    });
}
