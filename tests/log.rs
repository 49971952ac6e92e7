//! What is written to the log. A process has one logger, so this is a process of its own.
#![cfg(any(feature = "log", feature = "tracing"))]

#[path = "support/mod.rs"]
mod support;
#[cfg(feature = "rustls")]
#[path = "support/tls.rs"]
mod tls;

use std::cell::{Cell, OnceCell, RefCell};
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::time::Duration;

use hostpool::{ConnectionPool, CookieJar, ErrorKind, PoolManager, Session};
#[cfg(all(feature = "rustls", feature = "native-roots"))]
use support::without_hanging;
use support::{Server, Step, answers, eventually, ok, refusing};

/// Lines of this crate, with their levels, in front of which stands who wrote them.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    /// What is done with each line, beside.
    static ACT: Cell<Option<fn()>> = const { Cell::new(None) };
}

fn write(by: &str, level: &str, target: &str, text: impl std::fmt::Display) {
    if target.starts_with("hostpool") {
        LINES.lock().unwrap().push(format!("{by} {level} {text}"));
        if let Some(act) = ACT.get() {
            act();
        }
    }
}

#[cfg(feature = "log")]
struct Logger;

#[cfg(feature = "log")]
impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        write("log", record.level().as_str(), record.target(), record.args());
    }

    fn flush(&self) {}
}

#[cfg(feature = "tracing")]
mod subscriber {
    use std::fmt;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    pub struct Lines;

    struct Message(String);

    impl Visit for Message {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            assert_eq!(field.name(), "message");
            self.0 = format!("{value:?}");
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() <= tracing::Level::DEBUG
        }

        fn event(&self, event: &Event<'_>) {
            let mut message = Message(String::new());
            event.record(&mut message);
            super::write("tracing", event.metadata().level().as_str(), event.metadata().target(), message.0);
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }
}

fn set_up() -> Vec<&'static str> {
    let mut by = Vec::new();
    #[cfg(feature = "log")]
    {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(log::LevelFilter::Debug);
        by.push("log");
    }
    #[cfg(feature = "tracing")]
    {
        tracing::subscriber::set_global_default(subscriber::Lines).unwrap();
        by.push("tracing");
    }
    by
}

/// Lines of one of them, numbers as `#`, and the server's address as `HOST`.
fn take(by: &[&str], host: &str) -> Vec<String> {
    let lines = std::mem::take(&mut *LINES.lock().unwrap());
    let of = |by: &str| -> Vec<String> {
        let own = lines.iter().filter_map(|line| line.strip_prefix(by)?.strip_prefix(' '));
        own.map(|line| without_numbers(&line.replace(host, "HOST"))).collect()
    };
    let all: Vec<_> = by.iter().map(|by| of(by)).collect();
    assert!(all.windows(2).all(|two| two[0] == two[1]), "{all:?}");
    all.into_iter().next().unwrap()
}

/// Times and the numbers of connections differ from run to run.
fn without_numbers(line: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let bare = word.trim_end_matches([':', ')']);
        let is_number = bare.starts_with(|c: char| c.is_ascii_digit());
        let after_connection = shown.last().is_some_and(|last| last.ends_with("connection"));
        shown.push(match is_number && (after_connection || bare.ends_with('s')) {
            true => word.replace(bare, "#"),
            false => word.to_string(),
        });
    }
    shown.join(" ")
}

#[test]
fn the_log() {
    let by = set_up();
    lines(&by);
    tolerated(&by);
    bodies_that_break_off(&by);
    full_pools(&by);
    #[cfg(feature = "rustls")]
    connections_that_are_not_verified(&by);
    panics(&by);
    requests_of_its_own();
}

fn lines(by: &[&str]) {
    // LIFE-41: one request, two lines. What is secret stands in none.
    let server = Server::with(|_| answers(ok("fine")));
    let host = server.addr.to_string();
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let url = format!("http://user:word@{host}/path?token=secret#part");
    pool.get(&url).header("X-Secret", "secret").send().unwrap().text().unwrap();
    let lines = take(by, &host);
    assert_eq!(
        lines,
        ["DEBUG connection # to http://HOST opened in #", "DEBUG GET http://HOST/path 200 (connection #)"]
    );

    // A thread that waits for itself.
    let pool = ConnectionPool::builder(server.url("")).limit(1).refuse_self_deadlock(true).build().unwrap();
    let held = pool.get("/").send().unwrap();
    take(by, &host);
    assert!(pool.get("/").send().is_err());
    let warning = "WARN a call waits for a connection to http://HOST; its thread has all, as connection #";
    assert_eq!(take(by, &host), [warning]);
    drop(held);

    // RW-11, RW-51: lines of a response that are left out, by name and without their values.
    let head = "HTTP/1.1 103 Early\r\nX Y: secret\r\n\r\nHTTP/1.1 200 OK\r\nPHP Warning: secret\r\nsecret\r\n";
    let body = "Transfer-Encoding: chunked\r\n\r\n0\r\nbad name: secret\r\n\r\n";
    let server = Server::with(move |_| answers([head, body].concat()));
    let host = server.addr.to_string();
    hostpool::get(server.url("/path?token=secret")).send().unwrap().text().unwrap();
    let dropped = |names: &str| {
        format!("WARN lines of the response from http://HOST/path that are no headers were left out: {names}")
    };
    let lines: Vec<_> = take(by, &host).into_iter().filter(|line| line.starts_with("WARN")).collect();
    assert_eq!(lines, [dropped("PHP Warning, one without a name, X Y"), dropped("bad name")]);

    // A connection that died while it was idle, and one that cannot be had.
    let server = Server::with(|_| vec![Step::Request, Step::Send(ok("fine"))]);
    let host = server.addr.to_string();
    let pool = ConnectionPool::builder(server.url("")).probe_after(Duration::ZERO).build().unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    take(by, &host);
    eventually("its end", || server.seen.open() == 0);
    pool.get("/").send().unwrap().text().unwrap();
    let dead = "DEBUG connection # to http://HOST was dead after 1 requests: PeerClosed";
    assert_eq!(take(by, &host)[0], dead);
    let (_held, address) = refusing();
    assert!(hostpool::get(format!("http://{address}/")).send().is_err());
    assert_eq!(take(by, &address.to_string()), ["DEBUG no connection to http://HOST after #: Connect"]);
}

/// Heads that break a rule: fields that are kept, and lines that are left out.
fn tolerated(by: &[&str]) {
    // RW-22: by name, and without values.
    let server = Server::with(|_| answers(ok("fine")));
    let host = server.addr.to_string();
    let url = hostpool::Url::parse(&server.url("/path")).unwrap();
    let jar = CookieJar::builder().max_header_bytes(20).build();
    ["a=secret", "b=secret", "c=secret"].iter().for_each(|cookie| jar.set(&url, cookie).unwrap());
    let session = Session::builder().cookie_jar(jar).build().unwrap();
    session.get(format!("{url}?token=secret")).send().unwrap().text().unwrap();
    let warnings =
        |host: &str| -> Vec<String> { take(by, host).into_iter().filter(|line| line.starts_with("WARN")).collect() };
    assert_eq!(warnings(&host), ["WARN cookies left out of a request to http://HOST/path, which are too many: a"]);

    // A server chooses how many names there are, and how long they are.
    let jar = CookieJar::builder().max_header_bytes(0).build();
    (10..40).for_each(|number| jar.set(&url, &format!("{number}{}=secret", "n".repeat(4000))).unwrap());
    let session = Session::builder().cookie_jar(jar).build().unwrap();
    session.get(url.as_str()).send().unwrap().text().unwrap();
    let lines = warnings(&host);
    assert!(lines.len() == 1 && lines[0].len() < 4096 && lines[0].ends_with(" and 14 more"), "{lines:?}");

    // RW-26: where, and not which word: it may be a part of a password.
    let netrc = hostpool::Netrc::parse("machine h login u\npassword my secret\n").unwrap();
    assert_eq!(netrc.lookup("h", None).unwrap().password(), "my");
    let line = "WARN line 2 of a netrc file has a word that is not known; a value with spaces needs quotes";
    assert_eq!(warnings("no host"), [line]);

    // RW-15: data without the end of its coding, once, however it is read.
    #[cfg(feature = "gzip")]
    {
        let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 10\r\n\r\n";
        // One stored block, and the mark of a flush.
        let data = b"\0\0\0\xFF\xFF\0\0\0\xFF\xFF";
        let server = Server::with(|_| answers([&head[..], data].concat()));
        assert_eq!(hostpool::get(server.url("/path?token=secret")).send().unwrap().text().unwrap(), "");
        let line = "WARN the coded body of http://HOST/path ends without the end of its coding";
        assert_eq!(warnings(&server.addr.to_string()), [line]);
    }
}

/// RW-01: a body that did not leave whole is told of, unless the server has refused it.
fn bodies_that_break_off(by: &[&str]) {
    let cut = "WARN POST http://HOST/a: the peer answered 200 and closed before the whole body was sent";
    for (status, expected) in [("200 OK", vec![cut]), ("413 Content Too Large", vec![])] {
        let response = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes();
        let server = Server::new(vec![vec![Step::Head, Step::Send(response), Step::Bytes(1)]]);
        let host = server.addr.to_string();
        let url = format!("http://user:word@{host}/a?token=secret");
        let response = hostpool::post(url).data(vec![b'x'; 30_000_000]).send().unwrap();
        assert!(!response.request_body_complete(), "RW-01 {status}");
        let warnings: Vec<_> = take(by, &host).into_iter().filter(|line| line.starts_with("WARN")).collect();
        assert_eq!(warnings, expected, "RW-01 {status}");
    }
}

/// Connections that are one too many are counted host by host, and told of ever more rarely.
fn full_pools(by: &[&str]) {
    let warnings = |host: &str| -> Vec<String> {
        take(by, host).into_iter().filter(|line| line.starts_with("WARN") && line.contains("HOST")).collect()
    };
    let [one, other] = [(); 2].map(|()| Server::with(|_| answers(ok("fine"))));
    let http = PoolManager::builder().maxsize(1).build().unwrap();
    let overflow = |server: &Server| {
        let kept = http.get(server.url("/")).send().unwrap();
        http.get(server.url("/")).send().unwrap().text().unwrap();
        kept.text().unwrap();
    };
    let full = "WARN connection pool of http://HOST is full: 1 connections were closed that could have been used again";
    (1..=9).for_each(|_| overflow(&one));
    assert_eq!(warnings(&one.addr.to_string()), ["1 ", "2 ", "4 ", "8 "].map(|count| full.replace("1 ", count)));
    overflow(&other);
    let lines = take(by, &other.addr.to_string());
    assert!(lines.iter().any(|line| line == full), "{lines:?}");
    assert!(lines.iter().any(|line| line == "DEBUG connection pool of http://HOST is full: connection # is closed"));

    // Who wants none kept is not told that there is no room.
    let http = PoolManager::builder().maxsize(0).build().unwrap();
    http.get(one.url("/")).send().unwrap().text().unwrap();
    assert_eq!(warnings(&one.addr.to_string()), [""; 0]);
}

/// Whatever becomes of a line, the pool's books are right.
/// TLS-12: a warning with each connection.
#[cfg(feature = "rustls")]
fn connections_that_are_not_verified(by: &[&str]) {
    let authority = tls::Authority::new();
    let server = tls::TlsServer::new(authority.server(), |peer| {
        loop {
            peer.request()?;
            peer.send(ok("fine"))?;
        }
    });
    let host = server.addr.to_string();
    let warnings = |tls: hostpool::TlsConfigBuilder| {
        let pool = server.pool(&tls.build().unwrap());
        for _ in 0..2 {
            pool.get("/").send().unwrap().text().unwrap();
        }
        let lines = take(by, &host);
        lines.into_iter().filter(|line| line.starts_with("WARN")).collect::<Vec<_>>()
    };
    let any = hostpool::TlsConfig::builder().danger_accept_invalid_certs(true);
    let warning =
        "WARN the certificate of https://HOST is not verified: anybody on the way can read and change everything";
    assert_eq!(warnings(any), [warning]);
    assert_eq!(warnings(hostpool::TlsConfig::builder().root_der(authority.der())), [""; 0]);
}

fn panics(by: &[&str]) {
    let server = Server::with(|_| answers(ok("fine")));
    ACT.set(Some(|| resume_unwind(Box::new("the terminal is gone"))));
    let pool = ConnectionPool::builder(server.url("")).limit(1).refuse_self_deadlock(true).build().unwrap();
    let held = pool.get("/").send().unwrap();
    assert!(matches!(pool.get("/").send().unwrap_err().kind(), ErrorKind::WouldDeadlock { .. }));
    assert_eq!(pool.stats().waiting, 0);
    held.text().unwrap();
    assert_eq!((pool.stats().idle, pool.stats().in_use), (1, 0));
    pool.get("/").send().unwrap().text().unwrap();

    let http = PoolManager::builder().maxsize(1).total_limit(2).build().unwrap();
    let responses = [(); 2].map(|()| http.get(server.url("/")).send().unwrap());
    responses.into_iter().for_each(|response| drop(response.text().unwrap()));
    assert_eq!((http.stats().open, http.stats().idle), (1, 1));
    ACT.set(None);
    // Who panics takes no line from the other.
    assert!(take(by, &server.addr.to_string()).len() > 5);
}

/// What writes the log may send requests: they are not written of, and do not wait for what its thread has.
fn requests_of_its_own() {
    thread_local! {
        static POOL: OnceCell<ConnectionPool> = const { OnceCell::new() };
        static OUTCOMES: RefCell<Vec<bool>> = const { RefCell::new(Vec::new()) };
    }
    let server = Server::with(|_| answers(ok("fine")));
    let pool = ConnectionPool::builder(server.url("")).limit(1).build().unwrap();
    POOL.with(|own| own.set(pool.clone()).unwrap());
    LINES.lock().unwrap().clear();
    ACT.set(Some(|| {
        let outcome = POOL.with(|pool| pool.get().unwrap().get("/sink").send().map(|response| drop(response.text())));
        OUTCOMES.with_borrow_mut(|outcomes| outcomes.push(outcome.is_ok()));
    }));
    let response = pool.get("/").send().unwrap();
    ACT.set(None);
    response.text().unwrap();
    // As the connection is opened, and as the answer comes: its call has it both times.
    let outcomes = OUTCOMES.take();
    assert!(!outcomes.is_empty() && outcomes.iter().all(|is_ok| !is_ok), "{outcomes:?}");
    assert!(LINES.lock().unwrap().iter().all(|line| !line.contains("/sink")));
}

/// The store of roots is read once, under a lock. A request that the logger sends because of it does not wait for that
/// lock. The roots are those of the environment, so it is a process of its own.
#[cfg(all(feature = "rustls", feature = "native-roots"))]
#[test]
fn roots_that_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let store = folder.path().join("store.pem");
    std::fs::write(&store, certificate.pem() + broken).unwrap();
    let mut test = std::process::Command::new(std::env::current_exe().unwrap());
    test.args(["--ignored", "--exact", "roots_of_the_environment"]);
    let output = test.env("SSL_CERT_FILE", store).env_remove("SSL_CERT_DIR").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[cfg(all(feature = "rustls", feature = "native-roots"))]
#[test]
#[ignore = "another test runs it, with a store of roots of its own"]
fn roots_of_the_environment() {
    thread_local! {
        static URL: OnceCell<String> = const { OnceCell::new() };
    }
    let by = set_up();
    let server = Server::with(|_| vec![]);
    let url = format!("https://{}/", server.addr);
    let outcome = without_hanging(move || {
        URL.with(|own| own.set(url.clone()).unwrap());
        ACT.set(Some(|| {
            // A handshake with a server that knows no TLS.
            URL.with(|url| hostpool::get(url.get().unwrap()).send().unwrap_err());
        }));
        hostpool::get(&url).send().unwrap_err()
    });
    assert!(outcome.is_connect() || outcome.kind() == &ErrorKind::Tls, "{outcome:?}");
    let lines = take(&by, &server.addr.to_string());
    let skipped =
        |line: &&String| line.contains("1 entries of the store of root certificates were skipped, 1 were read");
    assert_eq!(lines.iter().filter(skipped).count(), 1, "{lines:?}");
}
