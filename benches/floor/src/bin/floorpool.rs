//! `floorpool`: all threads share one pool, a mutex round a map of hosts and a condition for those who wait.
//!
//! It is last in, first out, and unfair: whoever comes back may take its connection again past those who wait.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};

use bench_common::{Client, Setup};
use bench_floor::{Connections, Dialer, Floor, Stream};

fn main() {
    bench_common::main::<Pool>();
}

struct Pool {
    dialer: Dialer,
    limit: usize,
    hosts: Mutex<HashMap<String, Host>>,
    freed: Condvar,
}

#[derive(Default)]
struct Host {
    idle: Vec<Stream>,
    open: usize,
    waiting: usize,
}

impl Client for Pool {
    const NAME: &'static str = "floorpool";
    type Handle<'a> = Floor<Shared<'a>>;

    fn new(setup: &Setup) -> Self {
        let limit = setup.limit.unwrap_or(usize::MAX);
        Pool { dialer: bench_floor::dialer(setup), limit, hosts: Mutex::default(), freed: Condvar::new() }
    }

    fn handle(&self) -> Self::Handle<'_> {
        Floor::new(Shared(self))
    }
}

struct Shared<'a>(&'a Pool);

impl Shared<'_> {
    /// An idle connection, or leave to open one.
    fn wait(&self, host: &str) -> Option<Stream> {
        let mut hosts = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(entry) = hosts.get_mut(host) else {
                hosts.insert(host.to_owned(), Host { open: 1, ..Host::default() });
                return None;
            };
            if let Some(stream) = entry.idle.pop() {
                return Some(stream);
            }
            if entry.open < self.0.limit {
                entry.open += 1;
                return None;
            }
            entry.waiting += 1;
            hosts = self.0.freed.wait(hosts).unwrap_or_else(PoisonError::into_inner);
            hosts.get_mut(host).expect("hosts stay").waiting -= 1;
        }
    }

    fn give(&self, host: &str, change: impl FnOnce(&mut Host)) {
        let mut hosts = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = hosts.get_mut(host).expect("hosts stay");
        change(entry);
        let awaited = entry.waiting > 0;
        drop(hosts);
        // To notify nobody is a system call, too.
        if awaited {
            self.0.freed.notify_one();
        }
    }
}

impl Connections for Shared<'_> {
    fn take(&mut self, scheme: &str, host: &str) -> Stream {
        self.wait(host).unwrap_or_else(|| self.0.dialer.open(scheme, host))
    }

    fn put(&mut self, host: &str, stream: Stream) {
        self.give(host, |entry| entry.idle.push(stream));
    }

    fn end(&mut self, host: &str, stream: Stream) {
        drop(stream);
        self.give(host, |entry| entry.open -= 1);
    }
}
