//! Requests and responses over scripted connections: whoever reads a body to its end has the one that the script says,
//! and whatever happens every place in the pool comes back.

mod bodies;
mod script;
mod server;

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;

use self::bodies::Made;
use self::script::{Script, Verdict};
use self::server::{Board, Delivery, Server};
use super::input::Input;
use super::line::{Net, lock};
use crate::error::ErrorKind;
use crate::pools::ConnectionPool;
use crate::response::Response;
use crate::retry::Retry;
use crate::time::Timeout;

/// Responses that are out at the same time.
const SLOTS: usize = 4;

struct World {
    net: Net<Server>,
    board: Arc<Mutex<Board>>,
    pool: ConnectionPool,
    limit: Option<usize>,
    slots: [Option<Reading>; SLOTS],
}

/// A response whose body may be read.
struct Reading {
    response: Response,
    delivery: Delivery,
    body: Vec<u8>,
    /// How reading ended: well, or with an error.
    end: Option<bool>,
}

pub fn exchange(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::read(&mut input);
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        world.net.begin();
        world.step(&mut input);
        world.check();
    }
    world.slots = Default::default();
    world.check();
    let stats = world.pool.stats();
    assert_eq!((stats.in_use, stats.open), (0, stats.idle), "{stats:?}");
    drop(world.pool);
    assert_eq!(world.net.alive(), 0, "transports outlive their pool");
}

impl World {
    fn read(input: &mut Input<'_>) -> World {
        let shape = input.byte();
        let (probing, block, maxsize) = (shape & 1 == 0, shape & 2 != 0, 1 + usize::from(shape >> 2) % 3);
        let board = Board { probing, number: 0, method: Method::GET, body: 0, whole: true, deliveries: Vec::new() };
        let board = Arc::new(Mutex::new(board));
        let servers = (0..=input.number(3)).map(|name| Server::new(name, Script::read(input), &board));
        let net = Net::new(servers.collect::<Vec<_>>());
        let pool = ConnectionPool::builder("http://h")
            .dialer(net.clone())
            .retries(Retry::off())
            .maxsize(maxsize)
            .block(block)
            .pool_timeout(Duration::ZERO)
            .probe_after(if probing { Duration::ZERO } else { Duration::MAX });
        let pool = pool.build().unwrap();
        World { net, board, pool, limit: block.then_some(maxsize), slots: Default::default() }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let op = input.byte();
        let slot = usize::from(op >> 4) % SLOTS;
        match op & 0xF {
            0..=2 => self.send(Method::GET, slot, Made::bytes(0)),
            3 => self.send(Method::HEAD, slot, Made::bytes(0)),
            4 => self.send(Method::POST, slot, Made::bytes(usize::from(input.byte()))),
            5 => self.send(Method::POST, slot, Made::read(input)),
            6 if op < 0x80 => self.send(Method::PUT, slot, Made::read(input)),
            // More than leaves at once.
            6 => self.send(Method::PUT, slot, Made::bytes(131_072 + usize::from(input.byte()))),
            7 | 8 => drop(self.read_some(slot, input.number(400))),
            9 => drop(self.read_some(slot, 40_000)),
            10..=12 => while self.read_some(slot, 512) {},
            13 => self.slots[slot] = None,
            14 => self.pool.clear(),
            _ => self.take_whole(slot),
        }
    }

    fn send(&mut self, method: Method, slot: usize, made: Made) {
        self.slots[slot] = None;
        let number = {
            let mut board = lock(&self.board);
            board.number += 1;
            (board.method, board.body, board.whole) = (method.clone(), made.len, made.whole);
            board.number
        };
        let request = self.pool.request(method.clone(), format!("/{number}")).data(made.body).expect100(made.expect);
        // Nobody could wait for a word that has not come.
        let result = request.timeout(Timeout::new().expect(Duration::ZERO)).send();
        let board = lock(&self.board);
        let deliveries: Vec<_> =
            board.deliveries.iter().filter(|delivery| delivery.number == number).cloned().collect();
        drop(board);
        may_be_sent(&method, made.expect, &deliveries);
        match result {
            Ok(response) => {
                let delivery = deliveries.last().expect("a response to a request").clone();
                is_its_own(&response, &delivery);
                let sends_all = made.whole && !made.expect;
                is_told_of_the_body(&response, &delivery, sends_all);
                self.slots[slot] = Some(Reading { response, delivery, body: Vec::new(), end: None });
            }
            Err(error) => {
                let withheld = made.expect && deliveries.iter().all(|delivery| delivery.head_only);
                assert!(error.maybe_processed() || deliveries.is_empty() || withheld, "{error:?}");
                // A second connection for what an idle one did not take may not be had.
                let answer =
                    deliveries.last().filter(|last| last.is_answer() && !last.is_notice() && !last.may_be_cut());
                let of_the_body = matches!(error.kind(), ErrorKind::BodyRead | ErrorKind::BodyLength { .. });
                assert!(!of_the_body || !made.whole, "{error:?}");
                assert!(of_the_body || answer.is_none(), "{error:?} instead of {answer:?}");
            }
        }
    }

    /// Whether there may be more.
    fn read_some(&mut self, slot: usize, most: usize) -> bool {
        self.slots[slot].as_mut().is_some_and(|reading| reading.read(most))
    }

    fn take_whole(&mut self, slot: usize) {
        let Some(Reading { response, delivery, body, end }) = self.slots[slot].take() else { return };
        let result = response.bytes();
        let Verdict::Answer { body: expected, whole, .. } = &delivery.verdict else { return };
        match result {
            Ok(rest) => {
                assert!(*whole && end != Some(false), "a truncated body is taken for a whole one");
                assert_eq!([body, rest].concat(), *expected);
            }
            // A reset that sending met hides where a body ends that nothing else delimits.
            Err(error) => assert!(!whole || end == Some(false) || delivery.broken, "{error:?}"),
        }
    }

    /// What holds whenever nobody is inside a call.
    fn check(&self) {
        let stats = self.pool.stats();
        let out = self.slots.iter().flatten().filter(|reading| reading.end.is_none()).count();
        assert_eq!((stats.waiting, stats.dialing, stats.open), (0, 0, stats.idle + stats.in_use), "{stats:?}");
        assert!(stats.in_use <= out, "{out} responses, {stats:?}");
        assert_eq!(stats.open, self.net.alive(), "{stats:?}");
        assert!(self.limit.is_none_or(|limit| stats.open <= limit), "{stats:?}");
    }
}

impl Reading {
    fn read(&mut self, most: usize) -> bool {
        let mut buf = vec![0; most];
        match self.response.read(&mut buf) {
            Ok(0) if most == 0 => return false,
            Ok(len) => {
                assert!(self.end.is_none() || (self.end, len) == (Some(true), 0), "{len} bytes behind {:?}", self.end);
                self.body.extend_from_slice(&buf[..len]);
                self.end = if len == 0 { Some(true) } else { None };
            }
            Err(error) => {
                assert_ne!(self.end, Some(true), "an end and then {error:?}");
                self.end = Some(false);
                assert!(self.response.read(&mut [0; 8]).is_err(), "an error and then an end");
            }
        }
        self.judge();
        self.end.is_none()
    }

    fn judge(&self) {
        let Verdict::Answer { body, whole, .. } = &self.delivery.verdict else { return };
        assert!(body.starts_with(&self.body), "bytes of another response");
        match self.end {
            None => {}
            Some(true) => assert!(*whole && self.body.len() == body.len(), "a truncated body is taken for a whole one"),
            Some(false) => assert!(!whole || self.delivery.broken, "a whole body that cannot be read"),
        }
    }
}

/// A request goes out once; a second time only if that doubles nothing, and only instead of a leftover connection.
fn may_be_sent(method: &Method, expect: bool, deliveries: &[Delivery]) {
    match deliveries {
        [] | [_] => {}
        [first, _] => {
            let withheld = expect && first.head_only;
            assert!((*method != Method::POST || withheld) && first.reused, "{method} again");
            assert!(!first.is_answer() || first.is_notice(), "{method} again behind {first:?}");
        }
        more => panic!("{method} sent {} times", more.len()),
    }
}

/// The flag says whether the server has the whole request; and that it has, unless it refuses it or the connection ends.
fn is_told_of_the_body(response: &Response, delivery: &Delivery, sends_all: bool) {
    assert_eq!(response.request_body_complete(), delivery.complete, "{delivery:?}");
    if let Verdict::Answer { status, .. } = delivery.verdict {
        let may_stop = status >= 400 || !sends_all || delivery.broken || delivery.resets;
        assert!(may_stop || delivery.complete, "a body was stopped by {delivery:?}");
    }
}

fn is_its_own(response: &Response, delivery: &Delivery) {
    match &delivery.verdict {
        Verdict::Refused => panic!("{response:?} out of nothing"),
        Verdict::Answer { tag, status, .. } => {
            assert_eq!((response.headers().get("x-tag"), response.status().as_u16()), (Some(&**tag), *status));
        }
        Verdict::Wild => {}
    }
}
