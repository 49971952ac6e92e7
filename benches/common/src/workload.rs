//! The workloads, by the names of the performance page.

pub const MIB: u64 = 1024 * 1024;

/// How large a large body is.
const LARGE: u64 = 256 * MIB;

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Plain,
    Unix,
    Tls,
    /// TLS whose server resumes no session.
    Unresumed,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A small GET from this path.
    Get(&'static str),
    /// A small GET whose body is collected in memory of its own.
    Whole,
    /// A small GET, where the server closes the connection.
    Close,
    /// A small body behind a head of 60 fields.
    Fields,
    /// So many bytes, with a length or in chunks.
    Download {
        bytes: u64,
        chunked: bool,
    },
    Upload {
        bytes: u64,
        chunked: bool,
    },
    Gzip,
    Json,
    /// Connections that do nothing, for the memory they take.
    Idle,
}

/// Which cores client and server run on. Left to itself the scheduler changes its mind from run to run, and a request
/// that wakes another core costs three times what one on the same core does: such runs cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// Both on one: they take turns anyway.
    Same,
    /// One each: a download is received while it is sent, or the socket's buffers would overflow into queues.
    Apart,
    /// Any: many threads.
    Any,
}

#[derive(Clone, Copy, Debug)]
pub struct Workload {
    pub name: &'static str,
    pub via: Via,
    pub work: Work,
    pub requests: u64,
    pub threads: usize,
    pub hosts: usize,
    pub limit: Option<usize>,
    /// All timeouts and a deadline are set.
    pub bounded: bool,
}

impl Workload {
    pub fn cores(&self) -> Cores {
        match self.work {
            Work::Download { .. } => Cores::Apart,
            _ if self.threads > 1 => Cores::Any,
            _ => Cores::Same,
        }
    }

    pub fn is_encrypted(&self) -> bool {
        matches!(self.via, Via::Tls | Via::Unresumed)
    }

    pub fn find(name: &str) -> Option<Workload> {
        all().into_iter().find(|workload| workload.name == name)
    }
}

const SMALL: Work = Work::Get("/small");
const HOLD: Work = Work::Get("/hold");

/// Every workload, in the order of the tables. The numbers of requests take a fraction of a second each.
pub fn all() -> Vec<Workload> {
    use Via::{Plain, Tls, Unix, Unresumed};
    let one = |name, via, work, requests| Workload {
        name,
        via,
        work,
        requests,
        threads: 1,
        hosts: 1,
        limit: None,
        bounded: false,
    };
    let threads = |name, threads| Workload { threads, ..one(name, Plain, SMALL, 25_600) };
    let limited = |name, work, requests| Workload { threads: 64, limit: Some(8), ..one(name, Plain, work, requests) };
    let hosts = |name, hosts| Workload { hosts, ..one(name, Plain, SMALL, 10_000) };
    let idle = |name, via| Workload { threads: 1_000, ..one(name, via, Work::Idle, 1_000) };
    let down = |chunked| Work::Download { bytes: LARGE, chunked };
    let up = |chunked| Work::Upload { bytes: LARGE, chunked };
    vec![
        one("W1", Plain, SMALL, 20_000),
        Workload { bounded: true, ..one("W1t", Plain, SMALL, 20_000) },
        one("W1u", Unix, SMALL, 20_000),
        one("W1b", Plain, Work::Whole, 20_000),
        threads("W2-2", 2),
        threads("W2-16", 16),
        threads("W2-64", 64),
        threads("W2-256", 256),
        limited("W2L", SMALL, 25_600),
        limited("W2L-hold", HOLD, 6_400),
        Workload { threads: 2, limit: Some(1), ..one("W2L-1", Plain, SMALL, 10_000) },
        one("W3", Plain, Work::Close, 3_000),
        Workload { bounded: true, ..one("W3t", Plain, Work::Close, 3_000) },
        one("W4", Tls, SMALL, 20_000),
        one("W5r", Tls, Work::Close, 400),
        one("W5n", Unresumed, Work::Close, 300),
        one("W6b", Plain, down(false), 1),
        one("W6c", Plain, down(true), 1),
        one("W6t", Tls, down(false), 1),
        one("W7", Plain, up(false), 1),
        one("W7c", Plain, up(true), 1),
        one("W8", Plain, Work::Gzip, 500),
        one("W9", Plain, Work::Json, 8_000),
        idle("W10p", Plain),
        idle("W10t", Tls),
        Workload { hosts: 1_000, ..idle("W10h", Plain) },
        one("W12", Plain, Work::Fields, 10_000),
        hosts("W14-1", 1),
        hosts("W14-10", 10),
        hosts("W14-100", 100),
        hosts("W14-1000", 1_000),
        hosts("W14-5000", 5_000),
        hosts("W14-10000", 10_000),
    ]
}
