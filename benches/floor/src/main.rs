//! `floor`: each thread has connections of its own.

use std::collections::HashMap;

use bench_common::{Client, Setup, Work, Workload};
use bench_floor::{Connections, Dialer, Floor, Stream};

fn main() {
    bench_common::main::<Own>();
}

struct Own(Dialer);

impl Client for Own {
    const NAME: &'static str = "floor";
    const HAS_POOLS: bool = true;
    type Handle<'a> = Floor<OwnConnections<'a>>;

    fn new(setup: &Setup) -> Self {
        Own(bench_floor::dialer(setup))
    }

    fn handle(&self) -> Self::Handle<'_> {
        Floor::new(OwnConnections { dialer: &self.0, idle: HashMap::new() })
    }

    fn excuse(workload: &Workload) -> Option<&'static str> {
        match workload {
            Workload { limit: Some(_), .. } => Some("shares nothing that could have a limit"),
            Workload { work: Work::Idle, .. } => Some("a thread's buffers are no part of a connection: see floorpool"),
            Workload { idle: 1.., .. } => Some("keeps one connection a host: see floorpool"),
            _ => None,
        }
    }
}

struct OwnConnections<'a> {
    dialer: &'a Dialer,
    idle: HashMap<String, Option<Stream>>,
}

impl Connections for OwnConnections<'_> {
    fn take(&mut self, scheme: &str, host: &str) -> Stream {
        match self.idle.get_mut(host).and_then(Option::take) {
            Some(stream) => stream,
            None => self.dialer.open(scheme, host),
        }
    }

    fn put(&mut self, host: &str, stream: Stream) {
        match self.idle.get_mut(host) {
            Some(place) => *place = Some(stream),
            None => drop(self.idle.insert(host.to_owned(), Some(stream))),
        }
    }

    fn end(&mut self, _: &str, stream: Stream) {
        drop(stream);
    }
}
