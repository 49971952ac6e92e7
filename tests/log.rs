//! What is written to the log. A process has one logger, so this is a process of its own.
#![cfg(any(feature = "log", feature = "tracing"))]

#[path = "support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::time::Duration;

use hostpool::ConnectionPool;
use support::{Server, Step, answers, eventually, ok, refusing};

/// Lines of this crate, with their levels, in front of which stands who wrote them.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn write(by: &str, level: &str, target: &str, text: impl std::fmt::Display) {
    if target.starts_with("hostpool") {
        LINES.lock().unwrap().push(format!("{by} {level} {text}"));
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
fn lines() {
    let by = set_up();

    // LIFE-41: one request, two lines. What is secret stands in none.
    let server = Server::with(|_| answers(ok("fine")));
    let host = server.addr.to_string();
    let pool = ConnectionPool::builder(&server.url("")).maxsize(0).build().unwrap();
    let url = format!("http://user:word@{host}/path?token=secret#part");
    pool.get(&url).header("X-Secret", "secret").send().unwrap().text().unwrap();
    let lines = take(&by, &host);
    assert_eq!(
        lines[..2],
        ["DEBUG connection # to http://HOST opened in #", "DEBUG GET http://HOST/path 200 (connection #)"]
    );

    // It was one too many, and is the first of these.
    let full = "WARN connection pool of http://HOST is full: 1 connections were closed that could have been used again";
    assert_eq!(lines[2], full);
    assert_eq!(lines[3..], ["DEBUG connection pool of http://HOST is full: connection # is closed"]);
    (2..=9).for_each(|_| drop(pool.get("/").send().unwrap().text().unwrap()));
    let warnings: Vec<_> = take(&by, &host).into_iter().filter(|line| line.starts_with("WARN")).collect();
    assert_eq!(warnings, ["2 ", "4 ", "8 "].map(|count| full.replace("1 ", count)));

    // A thread that waits for itself.
    let pool = ConnectionPool::builder(&server.url("")).limit(1).refuse_self_deadlock(true).build().unwrap();
    let held = pool.get("/").send().unwrap();
    take(&by, &host);
    assert!(pool.get("/").send().is_err());
    let warning = "WARN a call waits for a connection to http://HOST; its thread has all, as connection #";
    assert_eq!(take(&by, &host), [warning]);
    drop(held);

    // A connection that died while it was idle, and one that cannot be had.
    let server = Server::with(|_| vec![Step::Request, Step::Send(ok("fine"))]);
    let host = server.addr.to_string();
    let pool = ConnectionPool::builder(&server.url("")).probe_after(Duration::ZERO).build().unwrap();
    pool.get("/").send().unwrap().text().unwrap();
    take(&by, &host);
    eventually("its end", || server.seen.open() == 0);
    pool.get("/").send().unwrap().text().unwrap();
    let dead = "DEBUG connection # to http://HOST was dead after 1 requests: PeerClosed";
    assert_eq!(take(&by, &host)[0], dead);
    let (_held, address) = refusing();
    assert!(hostpool::get(format!("http://{address}/")).send().is_err());
    assert_eq!(take(&by, &address.to_string()), ["DEBUG no connection to http://HOST after #: Connect"]);
}
