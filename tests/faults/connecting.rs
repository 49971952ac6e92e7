//! Connections that cannot be opened: rows A19.1, C1, C5, C8, C11, C13, C75.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use hostpool::Bound;
use hostpool::{DialContext, Dialer, Error, ErrorKind, Phase, PoolManager, Target, TcpDialer, Timeout, Transport};

use crate::invariants::{CANARY, exclusive, presentable, settled};
#[cfg(target_os = "linux")]
use crate::support::Swallowing;
use crate::support::{GIVE_UP, Server, answers, ok, refusing};

/// Tries three times, each with its own attempt; then the same unit serves another host.
fn fails(id: &str, url: &str, timeout: Timeout, kind: &ErrorKind, phase: Phase) -> Error {
    let good = Server::new(vec![answers(ok("good"))]);
    let client = PoolManager::builder()
        .retries(hostpool::Retry::off())
        .limit(1)
        .total_limit(1)
        .pool_timeout(GIVE_UP)
        .build()
        .unwrap();
    let mut last = None;
    for attempt in 1..=3 {
        let error = client.get(url).header("X-Secret", CANARY).timeout(timeout).send().map(drop).expect_err(id);
        assert_eq!((error.kind(), error.phase()), (kind, phase), "{id}: {error}");
        assert!(!error.maybe_processed() && error.is_connect(), "{id}: {error}");
        presentable(id, &error);
        settled(id, client.stats());
        let stats = client.stats();
        assert_eq!((stats.open, stats.created, stats.dial_failures), (0, 0, attempt), "{id}");
        last = Some(error);
    }
    assert_eq!(client.get(good.url("/")).send().unwrap().text().unwrap(), "good", "{id}");
    settled(id, client.stats());
    last.expect("three attempts")
}

/// The kind of the socket's own error.
fn socket_error(error: &Error) -> std::io::ErrorKind {
    let source = std::error::Error::source(error).expect("an error of a socket has a cause");
    source.downcast_ref::<std::io::Error>().expect("which is an io::Error").kind()
}

#[test]
fn names_and_addresses() {
    let exclusive = exclusive();
    let timeout = Timeout::from(GIVE_UP);
    exclusive.row("C1", move || {
        // No resolver asks anybody for a label this long.
        let url = format!("http://{}.invalid/", "a".repeat(64));
        fails("C1", &url, timeout, &ErrorKind::Resolve, Phase::Resolve);
    });
    exclusive.row("C5", move || {
        let (_held, address) = refusing();
        let url = format!("http://user:{CANARY}@{address}/");
        let error = fails("C5", &url, timeout, &ErrorKind::Connect, Phase::Connect);
        assert_eq!(socket_error(&error), std::io::ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    });
    exclusive.row("C5 all addresses of a name", move || {
        let (_held, address) = refusing();
        let url = format!("http://localhost:{}/", address.port());
        fails("C5 all addresses of a name", &url, timeout, &ErrorKind::Connect, Phase::Connect);
    });
}

/// The broadcast address of loopback takes no connections.
#[cfg(target_os = "linux")]
#[test]
fn unreachable_networks() {
    exclusive().row("C8", || {
        let url = "http://127.255.255.255:9/";
        let error = fails("C8", url, Timeout::from(GIVE_UP), &ErrorKind::Connect, Phase::Connect);
        assert!(!error.is_timeout());
        let kind = socket_error(&error);
        assert!(kind != std::io::ErrorKind::TimedOut && kind != std::io::ErrorKind::Other, "{kind:?}");
    });
}

/// Dials a closed port until the system gives the socket that port for its own, so that it would talk to itself.
#[test]
fn a_socket_that_connects_to_itself() {
    exclusive().row("C11", || {
        let client = PoolManager::builder().retries(hostpool::Retry::off()).limit(1).total_limit(1).build().unwrap();
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(1500) {
            let (address, _taken) = attracting();
            for _ in 0..5000 {
                let error = client.post(format!("http://{address}/")).data("x").send().unwrap_err();
                assert_eq!(error.kind(), &ErrorKind::Connect, "{error}");
                assert!(!error.maybe_processed());
            }
        }
        settled("C11", client.stats());
    });
}

/// A closed port that connecting sockets are likely to get for their own. Linux gives them every second port in turn,
/// but for a few that it skips at random, and for those that are taken: with a row of these in front of it the port
/// comes up in every round.
fn attracting() -> (SocketAddr, Vec<TcpListener>) {
    let mut address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    address.set_port(address.port() & !1);
    let before = (1..=32).filter_map(|n| address.port().checked_sub(2 * n));
    let taken = before.filter_map(|port| TcpListener::bind((address.ip(), port)).ok()).collect();
    (address, taken)
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    fn url(path: &Path) -> String {
        format!("http+unix://{}", path.to_str().unwrap().replace('/', "%2F"))
    }

    #[test]
    fn sockets_that_are_none() {
        let exclusive = exclusive();
        let refused = |id: &'static str, file: &'static str, write: bool| {
            exclusive.row(id, move || {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join(file);
                if write {
                    std::fs::write(&path, "").unwrap();
                }
                fails(id, &url(&path), Timeout::from(GIVE_UP), &ErrorKind::Connect, Phase::Connect);
            });
        };
        refused("C13 missing", "none", false);
        refused("C13 no socket", "file", true);
        exclusive.row("C13 nobody listens", || {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("socket");
            drop(UnixListener::bind(&path).unwrap());
            let error = fails("C13", &url(&path), Timeout::from(GIVE_UP), &ErrorKind::Connect, Phase::Connect);
            assert_eq!(socket_error(&error), std::io::ErrorKind::ConnectionRefused);
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sockets_of_others() {
        unsafe extern "C" {
            fn setfsuid(user: u32) -> i32;
        }
        exclusive().row("C13 permission", || {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("socket");
            let _listener = UnixListener::bind(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
            // SAFETY: it has no preconditions. This thread alone becomes nobody, whom the mode keeps out; root's
            // would not be.
            let user = unsafe { setfsuid(65_534) };
            let error = fails("C13", &url(&path), Timeout::from(GIVE_UP), &ErrorKind::Connect, Phase::Connect);
            // SAFETY: as above.
            unsafe { setfsuid(user as u32) };
            assert_eq!(socket_error(&error), std::io::ErrorKind::PermissionDenied);
        });
    }

    /// A Unix socket with a full backlog answers EAGAIN at once; that is waited for, and not for ever.
    #[cfg(target_os = "linux")]
    #[test]
    fn full_backlogs() {
        let limit = Duration::from_millis(150);
        exclusive().row("C13 backlog", move || {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("socket");
            let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
            socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
            socket.listen(0).unwrap();
            let _fill = UnixStream::connect(&path).unwrap();
            let late = ErrorKind::Timeout(Bound::Connect);
            let started = Instant::now();
            fails("C13", &url(&path), Timeout::new().connect(limit), &late, Phase::Connect);
            assert!(started.elapsed() >= 3 * limit);
        });
    }
}

/// A TCP listener whose backlog is full.
#[cfg(target_os = "linux")]
#[test]
fn full_backlogs() {
    let limit = Duration::from_millis(250);
    exclusive().row("connect: no answer", move || {
        let swallowing = Swallowing::new();
        let url = format!("http://{}/", swallowing.addr);
        for (timeout, bound) in [(Timeout::new().connect(limit), Bound::Connect), (Timeout::from(limit), Bound::Total)]
        {
            fails("connect: no answer", &url, timeout, &ErrorKind::Timeout(bound), Phase::Connect);
        }
    });
}

/// Asks another host through the client it dials for, or the same host.
#[derive(Debug)]
struct Curious {
    client: Arc<Mutex<Option<PoolManager>>>,
    first: SocketAddr,
    then: String,
    inner: TcpDialer,
}

impl Dialer for Curious {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        if target.origin().port() == Some(self.first.port()) {
            let client = self.client.lock().unwrap().clone().expect("it is built before it dials");
            let asked = client.get(&self.then).timeout(Timeout::new().pool(Duration::from_millis(50))).send();
            match asked.and_then(|response| response.text()) {
                Ok(text) => assert_eq!(text, "good"),
                Err(error) => assert!(matches!(error.kind(), ErrorKind::PoolTimeout { .. }), "{error}"),
            }
        }
        self.inner.dial(target, context)
    }
}

/// C75: no lock is held while a dialer runs. What it asks for beyond the limit times out as anybody's call.
#[test]
fn dialers_that_use_the_client() {
    let exclusive = exclusive();
    for (id, total, same) in [("C75", 2, false), ("C75 at the total", 1, false), ("C75 at the limit", 2, true)] {
        exclusive.row(id, move || {
            let servers = [Server::new(vec![answers(ok("good"))]), Server::new(vec![answers(ok("good"))])];
            let client = Arc::new(Mutex::new(None));
            let then = if same { servers[0].url("/") } else { servers[1].url("/") };
            let dialer = Curious { client: client.clone(), first: servers[0].addr, then, inner: TcpDialer::new() };
            let manager = PoolManager::builder()
                .retries(hostpool::Retry::off())
                .limit(1)
                .total_limit(total)
                .dialer(dialer)
                .build()
                .unwrap();
            *client.lock().unwrap() = Some(manager.clone());
            for _ in 0..2 {
                assert_eq!(manager.get(servers[0].url("/")).send().unwrap().text().unwrap(), "good", "{id}");
            }
            settled(id, manager.stats());
            let refused = u64::from(same || total == 1);
            assert_eq!(manager.stats().timeouts, refused, "{id}");
            assert_eq!(servers[1].seen.accepted(), usize::from(refused == 0), "{id}");
            // The client and its dialer hold each other.
            *client.lock().unwrap() = None;
        });
    }
}
