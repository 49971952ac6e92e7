//! The core against a naive model of the same rules: one thread, plain vectors, every question answered by a scan.
//!
//! Random operations run on both. After each the answers, who was woken in which order, what is closed and why, and all
//! counts must agree, the core must pass its audit, and no more sockets may be open than the limits allow. A socket
//! counts from its dial until its connection is settled, which happens late and in any order.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::core::{Checkout, Core, Grant, Parts, Settings, Settle, Ticket, Turn, UnitId, Victim, Wake};
use super::stats::{CloseReason, PoolStats};

type Key = (u8, u8);

#[derive(Clone, Copy, Debug, Default)]
struct Rules {
    open: Option<usize>,
    idle: Option<usize>,
    total: Option<usize>,
    idle_timeout: Option<u64>,
    max_age: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Idle,
    Granted,
    Dialing,
    Leased,
    Closing,
}

#[derive(Clone, Debug)]
struct Place {
    number: u32,
    key: Key,
    at: At,
    conn: Option<u32>,
    epoch: u32,
    born: u64,
    since: u64,
    until: Option<u64>,
    passed_on: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Waiting,
    Granted(u32),
    Closed,
    Cancelled,
}

#[derive(Clone, Debug)]
struct Waiter {
    number: u32,
    key: Key,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Given {
    Dial { place: u32 },
    Conn { place: u32, conn: u32, since: u64, suspect: bool },
    Wait { waiter: u32 },
    Closed,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Kept,
    Release,
    PassOn,
}

/// A connection to close.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Gone {
    conn: u32,
    place: u32,
    how: How,
}

#[derive(Default)]
struct Model {
    rules: Rules,
    closed: bool,
    epoch: u32,
    numbers: u32,
    places: Vec<Place>,
    /// From the oldest to the newest.
    idle: Vec<u32>,
    /// By arrival; those whose wait is over stay until they come to know it.
    waiters: Vec<Waiter>,
    woken: Vec<u32>,
    /// Per endpoint: hand-overs in a row past an older waiter, and since when idle connections are suspect.
    overtaken: [u32; 3],
    suspect: [Option<u64>; 3],
    created: u64,
    reused: u64,
    handed_over: u64,
    dial_failures: u64,
    closings: Vec<CloseReason>,
}

impl Model {
    fn place(&mut self, number: u32) -> &mut Place {
        self.places.iter_mut().find(|place| place.number == number).expect("a place there is")
    }

    fn key_of(&self, number: u32) -> Key {
        self.places.iter().find(|place| place.number == number).expect("a place there is").key
    }

    fn count(&self, at: At) -> usize {
        self.places.iter().filter(|place| place.at == at).count()
    }

    fn room_at(&self, endpoint: u8) -> bool {
        let open = self.places.iter().filter(|place| place.key.0 == endpoint).count();
        self.rules.open.is_none_or(|limit| open < limit)
    }

    fn room_in_all(&self) -> bool {
        let open = self.places.iter().filter(|place| !place.passed_on).count();
        self.rules.total.is_none_or(|limit| open < limit)
    }

    /// The oldest waiter at an endpoint.
    fn first_at(&self, endpoint: u8) -> Option<Waiter> {
        self.waiters.iter().find(|it| it.fate == Fate::Waiting && it.key.0 == endpoint).cloned()
    }

    /// The oldest waiter whose endpoint has room.
    fn first_held(&self) -> Option<Waiter> {
        self.waiters.iter().find(|it| it.fate == Fate::Waiting && self.room_at(it.key.0)).cloned()
    }

    fn end_wait(&mut self, number: u32, fate: Fate) {
        self.woken.push(number);
        self.waiters.iter_mut().find(|it| it.number == number).expect("somebody who waits").fate = fate;
    }

    fn dial(&mut self, number: u32) -> Given {
        let epoch = self.epoch;
        let place = self.place(number);
        (place.at, place.epoch) = (At::Dialing, epoch);
        Given::Dial { place: number }
    }

    fn open(&mut self, key: Key) -> u32 {
        let number = self.numbers;
        self.numbers += 1;
        let (at, epoch) = (At::Dialing, self.epoch);
        let place = Place { number, key, at, conn: None, epoch, born: 0, since: 0, until: None, passed_on: false };
        self.places.push(place);
        number
    }

    fn lease(&mut self, number: u32) -> Given {
        let place = self.place(number);
        place.at = At::Leased;
        let (conn, since, endpoint) = (place.conn.take().expect("a connection"), place.since, place.key.0);
        let suspect = self.suspect[endpoint as usize].is_some_and(|until| since <= until);
        Given::Conn { place: number, conn, since, suspect }
    }

    /// Takes a connection off the idle ones, to be closed.
    fn close_idle(&mut self, number: u32, how: How, reason: CloseReason) -> Gone {
        self.idle.retain(|&idle| idle != number);
        self.closings.push(reason);
        let place = self.place(number);
        place.at = At::Closing;
        Gone { conn: place.conn.take().expect("a connection"), place: number, how }
    }

    fn is_expired(&mut self, number: u32, now: u64) -> bool {
        self.place(number).until.is_some_and(|until| until <= now)
    }

    fn expiry_reason(&mut self, number: u32, now: u64) -> CloseReason {
        let born = self.place(number).born;
        let old = self.rules.max_age.is_some_and(|age| born + age <= now);
        if old { CloseReason::MaxAge } else { CloseReason::IdleTimeout }
    }

    fn close_expired(&mut self, now: u64) -> Vec<Gone> {
        let mut gone = Vec::new();
        while gone.len() < 2 {
            let Some(&oldest) = self.idle.first() else { break };
            if !self.is_expired(oldest, now) {
                break;
            }
            let reason = self.expiry_reason(oldest, now);
            gone.push(self.close_idle(oldest, How::Release, reason));
        }
        gone
    }

    fn checkout(&mut self, key: Key, now: u64) -> (Given, Vec<Gone>) {
        if self.closed {
            return (Given::Closed, Vec::new());
        }
        if self.first_at(key.0).is_none() {
            let newest = self.idle.iter().rev().copied().find(|&idle| self.key_of(idle) == key);
            if let Some(newest) = newest.filter(|&newest| self.is_expired(newest, now)) {
                let reason = self.expiry_reason(newest, now);
                let gone = self.close_idle(newest, How::Kept, reason);
                return (self.dial(newest), vec![gone]);
            }
            if let Some(newest) = newest {
                self.reused += 1;
                self.idle.retain(|&idle| idle != newest);
                return (self.lease(newest), self.close_expired(now));
            }
            if self.room_at(key.0) && self.room_in_all() {
                return (Given::Dial { place: self.open(key) }, self.close_expired(now));
            }
            if let Some(made) = self.make_room(key) {
                return made;
            }
        }
        let waiter = self.numbers;
        self.numbers += 1;
        self.waiters.push(Waiter { number: waiter, key, fate: Fate::Waiting });
        (Given::Wait { waiter }, Vec::new())
    }

    fn make_room(&mut self, key: Key) -> Option<(Given, Vec<Gone>)> {
        let own_only = !self.room_at(key.0);
        let victim = self.idle.iter().copied().find(|&idle| !own_only || self.key_of(idle).0 == key.0)?;
        if self.key_of(victim).0 == key.0 {
            let gone = self.close_idle(victim, How::Kept, CloseReason::EvictedForLimit);
            self.place(victim).key = key;
            return Some((self.dial(victim), vec![gone]));
        }
        let gone = self.close_idle(victim, How::Release, CloseReason::EvictedForLimit);
        self.place(victim).passed_on = true;
        Some((Given::Dial { place: self.open(key) }, vec![gone]))
    }

    fn turn(&mut self, number: u32) -> Given {
        let at = self.waiters.iter().position(|it| it.number == number).expect("a ticket that is out");
        let fate = self.waiters[at].fate;
        if fate == Fate::Waiting {
            return Given::Wait { waiter: number };
        }
        self.waiters.remove(at);
        match fate {
            Fate::Granted(place) if self.place(place).conn.is_some() => self.lease(place),
            Fate::Granted(place) => self.dial(place),
            Fate::Closed => Given::Closed,
            _ => Given::Cancelled,
        }
    }

    fn interrupt(&mut self, number: u32) {
        if self.waiters.iter().any(|it| it.number == number && it.fate == Fate::Waiting) {
            self.end_wait(number, Fate::Cancelled);
        }
    }

    fn opened(&mut self, number: u32, now: u64) {
        self.created += 1;
        let place = self.place(number);
        (place.at, place.born) = (At::Leased, now);
    }

    fn checkin(
        &mut self,
        number: u32,
        conn: u32,
        now: u64,
        keep_until: Option<u64>,
    ) -> Result<(), (CloseReason, Gone)> {
        let now = self.idle.last().copied().map_or(now, |newest| now.max(self.place(newest).since));
        let born = self.place(number).born;
        let idle_end = self.rules.idle_timeout.map(|limit| now + limit);
        let ends = [idle_end, self.rules.max_age.map(|limit| born + limit), keep_until];
        let until = ends.into_iter().flatten().min();
        if let Some((reason, how)) = self.refusal(number, now, until) {
            self.closings.push(reason);
            self.place(number).at = At::Closing;
            return Err((reason, Gone { conn, place: number, how }));
        }
        let place = self.place(number);
        (place.conn, place.since, place.until) = (Some(conn), now, until);
        let endpoint = place.key.0;
        match self.first_at(endpoint) {
            Some(next) => {
                self.place(number).at = At::Granted;
                self.reused += 1;
                self.handed_over += 1;
                self.end_wait(next.number, Fate::Granted(number));
            }
            None => {
                self.place(number).at = At::Idle;
                self.idle.push(number);
            }
        }
        Ok(())
    }

    fn refusal(&mut self, number: u32, now: u64, until: Option<u64>) -> Option<(CloseReason, How)> {
        let Place { key, epoch, .. } = *self.place(number);
        if self.closed {
            return Some((CloseReason::PoolClosed, How::Release));
        }
        if epoch < self.epoch {
            return Some((CloseReason::Retired, How::Release));
        }
        if until.is_some_and(|until| until <= now) {
            return Some((self.expiry_reason(number, now), How::Release));
        }
        let held = self.first_held().map(|held| held.number);
        let next = self.first_at(key.0);
        let overtaken = &mut self.overtaken[key.0 as usize];
        let overtakes = next.as_ref().is_some_and(|next| held.is_some_and(|held| held < next.number));
        *overtaken = if overtakes { *overtaken + 1 } else { 0 };
        if *overtaken > 16 {
            *overtaken = 0;
            return Some((CloseReason::EvictedForLimit, How::Release));
        }
        match next {
            Some(next) if next.key == key => None,
            Some(_) => Some((CloseReason::EvictedForLimit, How::PassOn)),
            None if held.is_some() => Some((CloseReason::EvictedForLimit, How::Release)),
            None => {
                let idle = self.idle.iter().filter(|&&idle| self.key_of(idle).0 == key.0).count();
                let full = self.rules.idle.is_some_and(|limit| idle >= limit);
                full.then_some((CloseReason::PoolFull, How::Release))
            }
        }
    }

    fn discard(&mut self, number: u32, reason: Option<CloseReason>) -> Option<Gone> {
        match reason {
            Some(reason) => self.closings.push(reason),
            None => self.dial_failures += 1,
        }
        self.settle(How::Release, number)
    }

    fn settle(&mut self, how: How, number: u32) -> Option<Gone> {
        let heir = match how {
            How::Kept | How::Release => None,
            How::PassOn => self.first_at(self.key_of(number).0),
        };
        match heir {
            Some(heir) => {
                let place = self.place(number);
                (place.key, place.at) = (heir.key, At::Granted);
                self.end_wait(heir.number, Fate::Granted(number));
            }
            None if how == How::Kept => {}
            None => self.places.retain(|place| place.number != number),
        }
        while let Some(next) = self.first_held().filter(|_| self.room_in_all()) {
            let place = self.open(next.key);
            self.place(place).at = At::Granted;
            self.end_wait(next.number, Fate::Granted(place));
        }
        self.first_held()?;
        let oldest = *self.idle.first()?;
        Some(self.close_idle(oldest, How::Release, CloseReason::EvictedForLimit))
    }

    fn renew(&mut self, number: u32, since: u64, reason: CloseReason) -> Given {
        self.closings.push(reason);
        let suspect = &mut self.suspect[self.key_of(number).0 as usize];
        *suspect = (*suspect).max(Some(since));
        self.dial(number)
    }

    fn replace_dead(&mut self, number: u32, since: u64, reason: CloseReason, now: u64) -> (Given, Option<Gone>) {
        self.reused -= 1;
        let key = self.key_of(number);
        let newest = self.idle.iter().rev().copied().find(|&idle| self.key_of(idle) == key);
        match newest.filter(|&newest| !self.is_expired(newest, now)) {
            None => (self.renew(number, since, reason), None),
            Some(newest) => {
                self.renew(number, since, reason);
                self.reused += 1;
                self.idle.retain(|&idle| idle != newest);
                (self.lease(newest), self.settle(How::Release, number))
            }
        }
    }

    fn close(&mut self) -> Vec<Gone> {
        self.closed = true;
        for waiter in self.waiters.clone().iter().filter(|it| it.fate == Fate::Waiting) {
            self.end_wait(waiter.number, Fate::Closed);
        }
        self.idle.clone().iter().map(|&idle| self.close_idle(idle, How::Release, CloseReason::PoolClosed)).collect()
    }

    fn retire(&mut self) -> Vec<Gone> {
        self.epoch += 1;
        self.idle.clone().iter().map(|&idle| self.close_idle(idle, How::Release, CloseReason::Retired)).collect()
    }

    /// What was learnt about an endpoint goes with its last place and its last waiter.
    fn forget(&mut self) {
        for endpoint in 0..3 {
            let known = self.places.iter().any(|place| place.key.0 == endpoint)
                || self.waiters.iter().any(|waiter| waiter.key.0 == endpoint);
            if !known {
                self.overtaken[endpoint as usize] = 0;
                self.suspect[endpoint as usize] = None;
            }
        }
    }
}

/// One step; a number tells which of those who can take it does.
#[derive(Clone, Copy, Debug)]
enum Op {
    Checkout(u8),
    Opened(usize),
    DialFailed(usize),
    Checkin { who: usize, keep: Option<u64>, late: bool },
    Discard(usize),
    Renew(usize),
    ReplaceDead(usize),
    Turn(usize),
    Cancel(usize),
    Interrupt(usize),
    Settle(usize),
    Clock(u64),
    Retire,
    Close,
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 0..64usize;
    prop_oneof![
        14 => (0..6u8).prop_map(Op::Checkout),
        12 => who().prop_map(Op::Opened),
        2 => who().prop_map(Op::DialFailed),
        12 => (who(), proptest::option::weighted(0.2, 0..8u64), any::<bool>())
            .prop_map(|(who, keep, late)| Op::Checkin { who, keep, late }),
        2 => who().prop_map(Op::Discard),
        2 => who().prop_map(Op::Renew),
        2 => who().prop_map(Op::ReplaceDead),
        8 => who().prop_map(Op::Turn),
        2 => who().prop_map(Op::Cancel),
        1 => who().prop_map(Op::Interrupt),
        8 => who().prop_map(Op::Settle),
        3 => (1..4u64).prop_map(Op::Clock),
        1 => Just(Op::Retire),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let some = |range: std::ops::Range<usize>| proptest::option::weighted(0.75, range);
    let times = (proptest::option::of(2..9u64), proptest::option::of(4..12u64));
    (some(1..4), proptest::option::of(0..3usize), some(1..5), times).prop_map(|(open, idle, total, times)| {
        let (idle_timeout, max_age) = times;
        Rules { open, idle, total, idle_timeout, max_age }
    })
}

struct Numbers;

impl Parts for Numbers {
    type Key = Key;
    type Conn = u32;
    type Abort = ();
    type Waker = Bell;
}

/// Notes down whom it wakes: the waiter's number, which the model gives and the core cannot know.
struct Bell(u32, Rc<RefCell<Vec<u32>>>);

impl Wake for Bell {
    fn wake(&self) {
        self.1.borrow_mut().push(self.0);
    }
}

struct Hand {
    place: u32,
    unit: UnitId,
    /// With the time since which it was idle, unless it is new.
    conn: Option<(u32, Option<u64>)>,
}

struct Closing {
    victim: Victim<u32>,
    gone: Gone,
    /// The permit whose owner closes it before dialing.
    before: Option<u32>,
}

/// Core and model side by side, and what their callers have.
struct World {
    core: Core<Numbers>,
    model: Model,
    start: Instant,
    now: u64,
    conns: u32,
    /// Which unit is which place.
    units: Vec<(u32, UnitId)>,
    hands: Vec<Hand>,
    tickets: Vec<(u32, Ticket)>,
    closing: Vec<Closing>,
    /// Open sockets: connection and endpoint.
    sockets: Vec<(u32, u8)>,
    rung: Rc<RefCell<Vec<u32>>>,
}

impl World {
    fn new(rules: Rules) -> Self {
        let settings = Settings {
            open_limit: rules.open,
            idle_limit: rules.idle,
            total_limit: rules.total,
            idle_timeout: rules.idle_timeout.map(Duration::from_secs),
            max_age: rules.max_age.map(Duration::from_secs),
        };
        World {
            core: Core::new(settings),
            model: Model { rules, ..Model::default() },
            start: Instant::now(),
            now: 10,
            conns: 0,
            units: Vec::new(),
            hands: Vec::new(),
            tickets: Vec::new(),
            closing: Vec::new(),
            sockets: Vec::new(),
            rung: Rc::default(),
        }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Checkout(number) => self.checkout((number / 2, number % 2)),
            Op::Opened(who) => self.with_dial(who, World::opened),
            Op::DialFailed(who) => self.with_dial(who, |world, hand| world.discard(hand, None)),
            Op::Checkin { who, keep, late } => self.with_conn(who, |world, hand| world.checkin(hand, keep, late)),
            Op::Discard(who) => {
                self.with_conn(who, |world, hand| world.discard(hand, Some(CloseReason::NotReusable)));
            }
            Op::Renew(who) => self.with_conn(who, World::renew),
            Op::ReplaceDead(who) => self.with_conn(who, World::replace_dead),
            Op::Turn(who) => self.with_ticket(who, World::turn),
            Op::Cancel(who) => self.with_ticket(who, World::cancel),
            Op::Interrupt(who) => self.with_ticket(who, World::interrupt),
            Op::Settle(who) if !self.closing.is_empty() => self.settle(who % self.closing.len()),
            Op::Settle(_) => {}
            Op::Clock(seconds) => self.now += seconds,
            Op::Retire => {
                let (real, expected) = (self.core.retire_idle(), self.model.retire());
                self.close_all(real, expected, None);
            }
            Op::Close => {
                let (real, expected) = (self.core.close(), self.model.close());
                self.close_all(real, expected, None);
                // In no particular order.
                self.rung.borrow_mut().sort_unstable();
                self.model.woken.sort_unstable();
            }
        }
        self.model.forget();
        self.compare();
    }

    /// Whoever was given another's place closes what held it first of all.
    fn with_dial(&mut self, who: usize, act: impl FnOnce(&mut World, Hand)) {
        let act = |world: &mut World, hand: Hand| {
            while let Some(at) = world.closing.iter().position(|closing| closing.before == Some(hand.place)) {
                world.settle(at);
            }
            act(world, hand);
        };
        self.with_hand(who, |hand| hand.conn.is_none(), act);
    }

    fn with_conn(&mut self, who: usize, act: impl FnOnce(&mut World, Hand)) {
        self.with_hand(who, |hand| hand.conn.is_some(), act);
    }

    fn with_hand(&mut self, who: usize, can: impl Fn(&Hand) -> bool, act: impl FnOnce(&mut World, Hand)) {
        let able: Vec<_> = (0..self.hands.len()).filter(|&at| can(&self.hands[at])).collect();
        if !able.is_empty() {
            let hand = self.hands.remove(able[who % able.len()]);
            act(self, hand);
        }
    }

    fn with_ticket(&mut self, who: usize, act: impl FnOnce(&mut World, u32, Ticket)) {
        if !self.tickets.is_empty() {
            let (waiter, ticket) = self.tickets.remove(who % self.tickets.len());
            act(self, waiter, ticket);
        }
    }

    fn checkout(&mut self, key: Key) {
        let (expected, gone) = self.model.checkout(key, self.now);
        let waiter = if let Given::Wait { waiter } = expected { waiter } else { u32::MAX };
        let (now, rung) = (self.at(self.now), &self.rung);
        let (real, victims) = self.core.checkout(&key, now, || (), || Bell(waiter, Rc::clone(rung)));
        match (real, expected) {
            (Checkout::Granted(grant), expected) => self.take(grant, expected),
            (Checkout::Closed, Given::Closed) => {}
            (Checkout::Queued(ticket), Given::Wait { waiter }) => self.tickets.push((waiter, ticket)),
            (real, expected) => panic!("{real:?} instead of {expected:?}"),
        }
        let before = if let Given::Dial { place } = expected { Some(place) } else { None };
        self.close_all(victims.into_iter().flatten().collect(), gone, before);
    }

    fn take(&mut self, real: Grant<u32>, expected: Given) {
        match (real, expected) {
            (Grant::Permit { unit }, Given::Dial { place }) => {
                self.same(unit, place);
                self.hands.push(Hand { place, unit, conn: None });
            }
            (Grant::Conn { unit, conn, since, suspect }, Given::Conn { place, .. }) => {
                self.same(unit, place);
                let seconds = (since - self.start).as_secs();
                assert_eq!(Given::Conn { place, conn, since: seconds, suspect }, expected);
                self.hands.push(Hand { place, unit, conn: Some((conn, Some(seconds))) });
            }
            (real, expected) => panic!("{real:?} instead of {expected:?}"),
        }
    }

    /// A unit is the same place for as long as it lives.
    fn same(&mut self, unit: UnitId, place: u32) {
        self.units.retain(|(known, _)| self.model.places.iter().any(|place| place.number == *known));
        match self.units.iter().find(|known| known.0 == place || known.1 == unit) {
            Some(&known) => assert_eq!(known, (place, unit)),
            None => self.units.push((place, unit)),
        }
    }

    fn opened(&mut self, hand: Hand) {
        self.core.opened(hand.unit, self.at(self.now));
        self.model.opened(hand.place, self.now);
        self.conns += 1;
        self.sockets.push((self.conns, self.model.key_of(hand.place).0));
        self.hands.push(Hand { conn: Some((self.conns, None)), ..hand });
    }

    fn checkin(&mut self, hand: Hand, keep: Option<u64>, late: bool) {
        let (conn, _) = hand.conn.expect("a connection");
        let now = self.now - u64::from(late);
        let keep = keep.map(|keep| now + keep);
        let real = self.core.checkin(hand.unit, conn, self.at(now), keep.map(|keep| self.at(keep)));
        match (real, self.model.checkin(hand.place, conn, now, keep)) {
            (Ok(()), Ok(())) => {}
            (Err((real, victim)), Err((expected, gone))) => {
                assert_eq!(real, expected);
                self.close_all(vec![victim], vec![gone], None);
            }
            (real, expected) => panic!("{real:?} instead of {expected:?}"),
        }
    }

    fn discard(&mut self, hand: Hand, reason: Option<CloseReason>) {
        self.hang_up(&hand);
        let real = self.core.discard(hand.unit, reason);
        let expected = self.model.discard(hand.place, reason);
        self.close_all(real.into_iter().collect(), expected.into_iter().collect(), None);
    }

    fn renew(&mut self, hand: Hand) {
        self.hang_up(&hand);
        let since = hand.conn.and_then(|(_, since)| since).unwrap_or(self.now);
        self.core.renew(hand.unit, self.at(since), CloseReason::Failed);
        let expected = self.model.renew(hand.place, since, CloseReason::Failed);
        self.take(Grant::Permit { unit: hand.unit }, expected);
    }

    fn replace_dead(&mut self, hand: Hand) {
        let Some((_, Some(since))) = hand.conn else { return self.hands.push(hand) };
        self.hang_up(&hand);
        let dead = CloseReason::PeerClosed;
        let (grant, next) = self.core.replace_dead(hand.unit, self.at(since), dead, self.at(self.now));
        let (expected, gone) = self.model.replace_dead(hand.place, since, dead, self.now);
        self.take(grant, expected);
        self.close_all(next.into_iter().collect(), gone.into_iter().collect(), None);
    }

    fn turn(&mut self, waiter: u32, ticket: Ticket) {
        let (real, expected) = (self.core.turn(ticket, self.at(self.now)), self.model.turn(waiter));
        self.turned(waiter, ticket, real, expected);
    }

    fn cancel(&mut self, waiter: u32, ticket: Ticket) {
        self.model.interrupt(waiter);
        let (real, expected) = (self.core.cancel(ticket, self.at(self.now)), self.model.turn(waiter));
        self.turned(waiter, ticket, real, expected);
    }

    fn interrupt(&mut self, waiter: u32, ticket: Ticket) {
        self.model.interrupt(waiter);
        self.core.interrupt(ticket);
        self.tickets.push((waiter, ticket));
    }

    fn turned(&mut self, waiter: u32, ticket: Ticket, real: Turn<u32>, expected: Given) {
        match (real, expected) {
            (Turn::Waiting, Given::Wait { .. }) => self.tickets.push((waiter, ticket)),
            (Turn::Granted(grant), expected) => self.take(grant, expected),
            (Turn::Closed, Given::Closed) | (Turn::Cancelled, Given::Cancelled) => {}
            (real, expected) => panic!("{real:?} instead of {expected:?}"),
        }
    }

    fn settle(&mut self, at: usize) {
        let Closing { victim, gone, .. } = self.closing.remove(at);
        self.sockets.retain(|&(conn, _)| conn != gone.conn);
        let real = self.core.settle(victim.settle);
        let expected = self.model.settle(gone.how, gone.place);
        self.close_all(real.into_iter().collect(), expected.into_iter().collect(), None);
    }

    fn close_all(&mut self, real: Vec<Victim<u32>>, expected: Vec<Gone>, before: Option<u32>) {
        assert_eq!(real.len(), expected.len(), "{real:?} instead of {expected:?}");
        for (victim, gone) in real.into_iter().zip(expected) {
            let how = match victim.settle {
                Settle::Kept => How::Kept,
                Settle::Release(unit) => {
                    self.same(unit, gone.place);
                    How::Release
                }
                Settle::PassOn(unit) => {
                    self.same(unit, gone.place);
                    How::PassOn
                }
            };
            assert_eq!((victim.conn, how), (gone.conn, gone.how));
            self.closing.push(Closing { victim, gone, before });
        }
    }

    fn hang_up(&mut self, hand: &Hand) {
        self.sockets.retain(|&(conn, _)| hand.conn.is_none_or(|(own, _)| own != conn));
    }

    fn compare(&mut self) {
        self.core.audit();
        assert_eq!(self.rung.take(), std::mem::take(&mut self.model.woken), "who is woken, in which order");
        let model = &self.model;
        let mut expected = PoolStats {
            open: model.places.len(),
            idle: model.idle.len(),
            dialing: model.count(At::Dialing),
            in_use: model.count(At::Leased) + model.count(At::Granted) + model.count(At::Closing),
            waiting: model.waiters.iter().filter(|waiter| waiter.fate == Fate::Waiting).count(),
            created: model.created,
            dial_failures: model.dial_failures,
            reused: model.reused,
            handed_over: model.handed_over,
            ..PoolStats::default()
        };
        model.closings.iter().for_each(|&reason| expected.count_closed(reason));
        assert_eq!(self.core.stats(), expected);
        let Rules { open, total, .. } = model.rules;
        assert!(total.is_none_or(|limit| self.sockets.len() <= limit), "sockets in all");
        for endpoint in 0..3 {
            let sockets = self.sockets.iter().filter(|socket| socket.1 == endpoint).count();
            assert!(open.is_none_or(|limit| sockets <= limit), "sockets of endpoint {endpoint}");
        }
    }

    /// Everybody leaves; the pool closes and ends empty.
    fn wind_down(&mut self) {
        self.step(Op::Close);
        while !self.tickets.is_empty() || !self.hands.is_empty() || !self.closing.is_empty() {
            for op in [Op::Cancel(0), Op::Checkin { who: 0, keep: None, late: false }, Op::DialFailed(0), Op::Settle(0)]
            {
                self.step(op);
            }
        }
        assert!(self.core.is_blank() && self.sockets.is_empty());
    }
}

/// Enough to be worth it in every run; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_core_does_what_the_model_says(rules in rules(), ops in proptest::collection::vec(op(), 1..160)) {
        let mut world = World::new(rules);
        for op in ops {
            world.step(op);
        }
        world.wind_down();
    }
}
