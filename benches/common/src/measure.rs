//! Wall time, CPU, context switches, memory and latencies of this process, and the line they make.

use std::collections::HashMap;
use std::fs;
use std::mem::MaybeUninit;
use std::time::Instant;

use crate::alloc::{Heap, heap};

/// A moment's readings.
#[derive(Clone, Copy)]
pub struct Reading {
    at: Instant,
    cpu: f64,
    switches: u64,
    heap: Option<Heap>,
    resident: u64,
}

impl Reading {
    pub fn take() -> Reading {
        let usage = usage();
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        Reading {
            cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            switches: usage.ru_nvcsw as u64,
            heap: heap(),
            resident: 0,
            at: Instant::now(),
        }
    }

    /// With the resident memory, too. Asking for that allocates.
    pub fn with_memory() -> Reading {
        let resident = resident();
        Reading { resident, ..Reading::take() }
    }

    /// What happened between two readings, as pairs of the output line. `requests` divide the counts.
    pub fn line(&self, later: &Reading, requests: u64) -> String {
        let per_request = |count: f64| count / requests as f64;
        let wall = later.at.duration_since(self.at).as_secs_f64();
        let mut line = format!("requests={requests} wall_us={:.3}", per_request(wall * 1e6));
        line += &format!(" cpu_us={:.3}", per_request((later.cpu - self.cpu) * 1e6));
        line += &format!(" switches={:.4}", per_request((later.switches - self.switches) as f64));
        if let (Some(before), Some(after)) = (self.heap, later.heap) {
            line += &format!(" allocs={:.3}", per_request((after.calls - before.calls) as f64));
            line += &format!(" bytes={:.1}", per_request((after.bytes - before.bytes) as f64));
            line += &format!(" peak={}", after.peak.saturating_sub(before.live));
        }
        line
    }

    /// What is held at the later reading and was not at the earlier, for each of so many connections. `which` ends the
    /// keys.
    pub fn held(&self, later: &Reading, which: &str, connections: u64) -> String {
        let each = |before: u64, after: u64| (after as f64 - before as f64) / connections as f64;
        let mut line = format!(" resident{which}={:.0}", each(self.resident, later.resident));
        if let (Some(before), Some(after)) = (self.heap, later.heap) {
            line += &format!(" live{which}={:.1}", each(before.live, after.live));
        }
        line
    }
}

fn usage() -> libc::rusage {
    let mut usage = MaybeUninit::zeroed();
    // SAFETY: it writes a `rusage`, and zeros are a valid one if it does not.
    unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    }
}

fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}

/// Percentiles of nanoseconds, as pairs of the output line.
pub fn percentiles(mut nanoseconds: Vec<u64>) -> String {
    nanoseconds.sort_unstable();
    let at = |share: f64| nanoseconds[((nanoseconds.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    format!("p50_us={:.1} p99_us={:.1} max_us={:.1}", at(0.5), at(0.99), at(1.0))
}

/// The pairs of a line.
pub fn fields(line: &str) -> HashMap<&str, &str> {
    line.split_whitespace().filter_map(|pair| pair.split_once('=')).collect()
}
