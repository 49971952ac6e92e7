//! The workloads, by the names of the performance page.

pub const MIB: u64 = 1024 * 1024;

/// How large a large body is.
const LARGE: u64 = 256 * MIB;

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Plain,
    /// On a port above 32,768, from which systems choose the ports of their own sockets.
    High,
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
    /// Both on one, or one each: they take turns, and either is a case of its own.
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
    /// So many connections to the one host lie idle when the first request takes one of them; zero where it opens its own.
    pub idle: usize,
    pub limit: Option<usize>,
    /// All timeouts and a deadline are set.
    pub bounded: bool,
    /// Through a pool of the one host, which is asked for a path.
    pub pool: bool,
    /// Each request has a cancel token, and the client a listener, where the client has such things.
    pub watched: bool,
    /// The threads are started for it, even a single one, and each request's time is taken.
    pub spawned: bool,
}

impl Workload {
    pub fn cores(&self) -> Cores {
        match self.work {
            Work::Download { .. } => Cores::Apart,
            _ if self.threads > 1 => Cores::Any,
            _ => Cores::Same,
        }
    }

    /// The client that the others are compared with: the loop through one shared pool where a pool is what matters.
    pub fn yardstick(&self) -> &'static str {
        let shares = self.spawned || self.idle > 0 || self.work == Work::Idle;
        if shares { "floorpool" } else { "floor" }
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
    use Via::{High, Plain, Tls, Unix, Unresumed};
    let one = |name, via, work, requests| Workload {
        name,
        via,
        work,
        requests,
        threads: 1,
        hosts: 1,
        idle: 0,
        limit: None,
        bounded: false,
        pool: false,
        watched: false,
        spawned: false,
    };
    let threads = |name, threads| Workload { threads, spawned: true, ..one(name, Plain, SMALL, 25_600) };
    let limited = |name, work, threads, limit, requests| Workload {
        threads,
        limit: Some(limit),
        spawned: true,
        ..one(name, Plain, work, requests)
    };
    let hosts = |name, hosts| Workload { hosts, ..one(name, Plain, SMALL, 10_000) };
    let idle = |name, via| Workload { threads: 1_000, ..one(name, via, Work::Idle, 1_000) };
    let kept = |name, idle| Workload { idle, ..one(name, Plain, SMALL, 10_000) };
    let down = |chunked| Work::Download { bytes: LARGE, chunked };
    let up = |chunked| Work::Upload { bytes: LARGE, chunked };
    vec![
        one("W1", Plain, SMALL, 10_000),
        Workload { bounded: true, ..one("W1t", Plain, SMALL, 10_000) },
        Workload { bounded: true, watched: true, ..one("W1c", Plain, SMALL, 10_000) },
        one("W1u", Unix, SMALL, 10_000),
        one("W1b", Plain, Work::Whole, 10_000),
        Workload { pool: true, ..one("W1p", Plain, SMALL, 10_000) },
        threads("W2-1", 1),
        threads("W2-2", 2),
        threads("W2-4", 4),
        threads("W2-16", 16),
        threads("W2-64", 64),
        threads("W2-256", 256),
        limited("W2L", SMALL, 64, 8, 25_600),
        limited("W2L-hold", HOLD, 64, 8, 6_400),
        limited("W2L-1", SMALL, 2, 1, 10_000),
        one("W3", Plain, Work::Close, 3_000),
        Workload { bounded: true, ..one("W3t", Plain, Work::Close, 3_000) },
        one("W3p", High, Work::Close, 3_000),
        one("W4", Tls, SMALL, 10_000),
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
        kept("W15-1", 1),
        kept("W15-10", 10),
        kept("W15-100", 100),
        kept("W15-1000", 1_000),
        kept("W15-10000", 10_000),
    ]
}
