//! What holds behind every row, whatever failed in it.

use std::error::Error as _;
#[cfg(target_os = "linux")]
use std::fs;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use hostpool::{CloseReason, Error, ErrorKind, PoolStats, Violation};

#[cfg(target_os = "linux")]
use crate::support::{GIVE_UP, descriptors, eventually, threads};
use crate::support::{header, without_hanging};

/// In a header and in the URL of every row; never in an error.
pub const CANARY: &str = "canary-5e7a91";

/// `user:CANARY`, as it stands in the Authorization of every row.
pub const ENCODED_CANARY: &str = "dXNlcjpjYW5hcnktNWU3YTkx";

const REASONS: [CloseReason; 14] = [
    CloseReason::IdleTimeout,
    CloseReason::MaxAge,
    CloseReason::PeerClosed,
    CloseReason::UnexpectedBytes,
    CloseReason::NotReusable,
    CloseReason::Tolerated,
    CloseReason::BodyAbandoned,
    CloseReason::Failed,
    CloseReason::PoolFull,
    CloseReason::EvictedForLimit,
    CloseReason::PoolClosed,
    CloseReason::Retired,
    CloseReason::Upgraded,
    CloseReason::OutOfDescriptors,
];

/// Descriptors and threads belong to the process, so its rows run one by one.
static ONE_BY_ONE: Mutex<()> = Mutex::new(());

/// The threads that the test harness runs tests in: they come and go, and wait here.
#[cfg(target_os = "linux")]
static HARNESS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Held by every test of this binary.
pub struct Exclusive(#[allow(dead_code, reason = "held")] MutexGuard<'static, ()>);

pub fn exclusive() -> Exclusive {
    #[cfg(target_os = "linux")]
    {
        let link = std::fs::read_link("/proc/thread-self").unwrap();
        let thread = link.file_name().unwrap().to_string_lossy().into_owned();
        HARNESS.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }
    Exclusive(ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Exclusive {
    /// Runs a row, and then demands every thread and descriptor back.
    pub fn row(&self, id: &str, row: impl FnOnce() + Send + 'static) {
        let baseline = Baseline::now();
        eprintln!("row {id}");
        without_hanging(row);
        baseline.check(id);
    }
}

#[cfg(target_os = "linux")]
struct Baseline {
    descriptors: usize,
    threads: std::collections::BTreeSet<String>,
}

#[cfg(target_os = "linux")]
impl Baseline {
    fn now() -> Baseline {
        Baseline { descriptors: descriptors(), threads: threads() }
    }

    fn check(&self, id: &str) {
        let left = || {
            let harness = HARNESS.lock().unwrap_or_else(PoisonError::into_inner);
            let is_left = |thread: &String| !self.threads.contains(thread) && !harness.contains(thread);
            threads().into_iter().filter(is_left).collect::<Vec<_>>()
        };
        let started = Instant::now();
        loop {
            let left = left();
            if left.is_empty() {
                break;
            }
            let of =
                |thread| ["comm", "wchan"].map(|file| fs::read_to_string(format!("/proc/self/task/{thread}/{file}")));
            let told = || left.iter().map(of).collect::<Vec<_>>();
            assert!(started.elapsed() < GIVE_UP, "{id}: threads are left: {:?}", told());
            std::thread::sleep(Duration::from_millis(1));
        }
        eventually(&format!("{id}: the end of every descriptor"), || descriptors() <= self.descriptors);
    }
}

#[cfg(not(target_os = "linux"))]
struct Baseline;

#[cfg(not(target_os = "linux"))]
impl Baseline {
    fn now() -> Baseline {
        Baseline
    }

    fn check(&self, _: &str) {}
}

/// Nobody holds or awaits a unit, and the books agree.
#[track_caller]
pub fn settled(id: &str, stats: PoolStats) {
    assert_eq!((stats.in_use, stats.waiting, stats.dialing), (0, 0, 0), "{id}: {stats:?}");
    assert_eq!(stats.open, stats.idle, "{id}: {stats:?}");
    let closed: u64 = REASONS.iter().map(|reason| stats.closed(*reason)).sum();
    assert_eq!(stats.created, stats.open as u64 + closed, "{id}: {stats:?}");
}

/// The text of an error is fit for a log, and its cause can be found.
#[track_caller]
pub fn presentable(id: &str, error: &Error) {
    let text = error.to_string();
    assert!(text.len() <= 1024 && !text.contains(char::is_control), "{id}: {text}");
    let mut all = format!("{text} {error:?} {error:#?}");
    let mut cause = error.source();
    let mut io = false;
    while let Some(source) = cause {
        all += &format!(" {source} {source:?}");
        io |= source.is::<io::Error>();
        cause = source.source();
    }
    assert!(!all.contains(CANARY) && !all.contains(ENCODED_CANARY), "{id}: {all}");
    assert!(io || !is_of_the_socket(error.kind()), "{id}: an io::Error is the cause: {error:?}");
}

fn is_of_the_socket(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Resolve
            | ErrorKind::Connect
            | ErrorKind::Tls
            | ErrorKind::Disconnected
            | ErrorKind::Io
            | ErrorKind::IncompleteBody { .. }
            | ErrorKind::Protocol(Violation::IncompleteHead)
    )
}

/// How often a server saw a request, by its id.
pub fn times(requests: &[String], id: &str) -> usize {
    requests.iter().filter(|request| header(request, "X-Id") == Some(id)).count()
}
