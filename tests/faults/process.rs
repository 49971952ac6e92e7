//! What happens to the process as a whole: rows A19.5, C78. The client is a child: this binary, run again.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hostpool::{Bound, ConnectionPool, ErrorKind, Phase, Timeout};
use rustix::process::{Pid, Signal, kill_process};

use crate::invariants::{exclusive, settled};
use crate::support::{GIVE_UP, Server, Step, answer, eventually, ok};

const URL: &str = "HOSTPOOL_TEST_URL";

/// Runs one ignored test of this binary.
fn child(test: &str, url: String) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("process::{test}"), "--ignored", "--nocapture"]);
    command.env(URL, url).stdout(Stdio::null());
    command
}

/// Nothing where somebody runs all ignored tests.
fn url() -> Option<String> {
    std::env::var(URL).ok()
}

fn ended_well(mut child: Child) {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > GIVE_UP {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success());
}

/// Stops the child once `server` has its request, and lets it go on when `meanwhile` is done.
fn stopped(child: &Child, server: &Server, meanwhile: impl FnOnce()) {
    eventually("the request", || server.seen.requests().len() == 1);
    let pid = Pid::from_child(child);
    kill_process(pid, Signal::STOP).unwrap();
    let stat = format!("/proc/{}/stat", child.id());
    eventually("the stop", || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T ")));
    meanwhile();
    kill_process(pid, Signal::CONT).unwrap();
}

/// The deadline passes while the process stands still: one timeout, and nothing else is wrong.
#[test]
fn stopped_past_the_deadline() {
    exclusive().row("C78 past the deadline", || {
        let silent = vec![Step::Request, Step::UntilClosed];
        let server = Server::new(vec![silent, answer(ok("clean"))]);
        let child = child("times_out_once", server.url("")).spawn().unwrap();
        stopped(&child, &server, || std::thread::sleep(Duration::from_millis(1500)));
        ended_well(child);
        assert_eq!(server.seen.accepted(), 2);
    });
}

#[test]
#[ignore = "the child of another test"]
fn times_out_once() {
    let Some(url) = url() else { return };
    let pool = ConnectionPool::builder(&url).retries(hostpool::Retry::off()).limit(1).build().unwrap();
    let error = pool.get("/").timeout(Duration::from_secs(1)).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Total), Phase::Head));
    settled("C78", pool.stats());
    assert_eq!(pool.get("/").timeout(GIVE_UP).send().unwrap().text().unwrap(), "clean");
    settled("C78", pool.stats());
}

/// The answer comes while the process stands still, for longer than any single wait: nothing is lost.
#[test]
fn stopped_before_the_deadline() {
    exclusive().row("C78 before the deadline", || {
        let script = [vec![Step::Request, Step::Hold, Step::Send(ok("late"))], answer(ok("clean"))].concat();
        let server = Server::new(vec![script]);
        let child = child("hears_the_answer", server.url("")).spawn().unwrap();
        stopped(&child, &server, || {
            server.gate.open();
            std::thread::sleep(Duration::from_millis(500));
        });
        ended_well(child);
        assert_eq!(server.seen.accepted(), 1);
    });
}

#[test]
#[ignore = "the child of another test"]
fn hears_the_answer() {
    let Some(url) = url() else { return };
    let pool = ConnectionPool::builder(&url)
        .retries(hostpool::Retry::off())
        .limit(1)
        .timeout(Timeout::from(GIVE_UP))
        .build()
        .unwrap();
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "late");
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "clean");
    settled("C78", pool.stats());
    assert_eq!(pool.stats().created, 1);
}

#[cfg(all(feature = "native-roots", feature = "rustls"))]
mod stores {
    use super::*;
    use crate::tls::{Authority, TlsServer};

    /// A certificate that is none: a good one's armour around other bytes.
    const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nAAAAAAAAAAAAAAAAAAAAAAAA\n-----END CERTIFICATE-----\n";

    /// The system's store is read through the environment, which belongs to the process.
    #[test]
    fn with_a_bad_certificate() {
        let _exclusive = exclusive();
        let authority = Authority::new();
        let table = [
            ("A19.5 good behind bad", "trusts", format!("{BROKEN}{}", authority.pem())),
            ("A19.5 bad behind good", "trusts", format!("{}{BROKEN}", authority.pem())),
            ("A19.5 bad alone", "trusts_nobody", BROKEN.into()),
            ("A19.5 not PEM at all", "trusts_nobody", "\0\u{1}garbage".repeat(1000)),
            ("A19.5 cut off", "trusts_nobody", BROKEN[..40].into()),
        ];
        for (id, test, store) in table {
            eprintln!("row {id}");
            let server = TlsServer::new(authority.server(), |peer| {
                peer.request()?;
                peer.send(ok("fine"))
            });
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("store.pem");
            std::fs::write(&file, store).unwrap();
            let mut command = child(&format!("stores::{test}"), server.url());
            ended_well(command.env("SSL_CERT_FILE", file).env_remove("SSL_CERT_DIR").spawn().unwrap());
        }
    }

    #[test]
    #[ignore = "the child of another test"]
    fn trusts() {
        let Some(url) = url() else { return };
        let pool = ConnectionPool::builder(&url).retries(hostpool::Retry::off()).limit(1).build().unwrap();
        assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
    }

    #[test]
    #[ignore = "the child of another test"]
    fn trusts_nobody() {
        let Some(url) = url() else { return };
        let pool = ConnectionPool::builder(&url).retries(hostpool::Retry::off()).limit(1).build().unwrap();
        let error = pool.get("/").send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("SSL_CERT_FILE names no file with a certificate"), "{error}");
        assert_eq!((pool.stats().open, pool.stats().created), (0, 0));
    }
}
