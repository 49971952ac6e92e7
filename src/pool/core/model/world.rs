//! Core and model side by side: each step is taken on both, and then all that can be seen must agree.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::super::{Checkout, Core, Grant, Idle, PinId, Pressure, Settle, Ticket, Turn, UnitId, Victim};
use super::naive::{At, Fate, Given, Gone, How, KEYS, Key, Model, Place, Rules, index};
use crate::close_reason::CloseReason;
use crate::pool::stats::PoolStats;
use crate::pool::types::{CoreTypes, Ending, Settings, Touched, Wake};
use crate::time::Stamp;

/// One step; a number tells which of those who can take it does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Key and thread: one of six, and of three.
    Checkout(u8),
    /// Another thread reads from a connection in use.
    Touch(usize),
    Opened(usize),
    DialFailed(usize),
    NotDialed(usize),
    /// `late` gives a time from before the last operation: threads read the clock on their own (row C69).
    Checkin {
        who: usize,
        keep: Option<u64>,
        late: bool,
    },
    Discard(usize),
    Renew(usize),
    ReplaceDead(usize),
    Turn(usize),
    Cancel(usize),
    Interrupt(usize),
    Settle(usize),
    Clock(u64),
    Retire,
    RetireKey(u8),
    CloseKey(u8),
    Pin(u8),
    Unpin(usize),
    Expire,
    /// A dial finds no descriptor left.
    NoDescriptors,
    /// An idle connection is found closed.
    HangUp(usize),
    Close,
}

struct Numbers;

impl CoreTypes for Numbers {
    type Key = Key;
    type Conn = u32;
    type Abort = Holder;
    type Waker = Bell;
}

#[derive(Clone, Debug, Default)]
struct Holder(Rc<Cell<u64>>);

impl Touched for Holder {
    fn holder(&self) -> u64 {
        self.0.get()
    }

    fn set_holder(&self, thread: u64) {
        self.0.set(thread);
    }

    fn begin_anew(&self) {}
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
pub(crate) struct World {
    core: Core<Numbers>,
    model: Model,
    now: u64,
    conns: u32,
    /// Which unit is which place.
    units: Vec<(u32, UnitId)>,
    hands: Vec<Hand>,
    tickets: Vec<(u32, Ticket, u64)>,
    pins: Vec<(Key, PinId)>,
    closing: Vec<Closing>,
    /// Open sockets: connection and endpoint.
    sockets: Vec<(u32, u8)>,
    rung: Rc<RefCell<Vec<u32>>>,
}

impl World {
    pub(crate) fn new(rules: Rules) -> Self {
        let settings = Settings {
            open_limit: rules.open,
            idle_limit: rules.idle,
            total_limit: rules.total,
            idle_timeout: rules.idle_timeout.map(Duration::from_secs),
            max_age: rules.max_age.map(Duration::from_secs),
            max_idle: rules.max_idle,
            ..Settings::default()
        };
        World {
            core: Core::new(settings),
            model: Model { rules, ..Model::default() },
            now: 10,
            conns: 0,
            units: Vec::new(),
            hands: Vec::new(),
            tickets: Vec::new(),
            pins: Vec::new(),
            closing: Vec::new(),
            sockets: Vec::new(),
            rung: Rc::default(),
        }
    }

    fn at(&self, seconds: u64) -> Stamp {
        Stamp::at(Duration::from_secs(seconds))
    }

    pub(crate) fn step(&mut self, op: Op) {
        match op {
            Op::Checkout(number) => {
                let (number, thread) = (number % 6, 1 + u64::from(number / 6));
                self.checkout((number / 2, number % 2), thread);
            }
            Op::Touch(who) => self.with_conn(who, |world, hand| world.touch(hand, 1 + who as u64 % 3)),
            Op::Opened(who) => self.with_dial(who, World::opened),
            Op::DialFailed(who) => self.with_dial(who, |world, hand| world.discard(hand, Ending::DialFailed)),
            Op::NotDialed(who) => self.with_dial(who, |world, hand| world.discard(hand, Ending::Unused)),
            Op::Checkin { who, keep, late } => self.with_conn(who, |world, hand| world.checkin(hand, keep, late)),
            Op::Discard(who) => {
                self.with_conn(who, |world, hand| world.discard(hand, Ending::Closed(CloseReason::NotReusable)));
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
                let (real, expected) = (self.core.retire_idle(), self.model.retire(|_| true, CloseReason::Retired));
                self.close_all(real, expected, None);
            }
            Op::RetireKey(number) => {
                let key = KEYS[usize::from(number) % 6];
                let expected = self.model.retire(|other| other == key, CloseReason::Retired);
                let real = self.core.retire(&key);
                self.close_all(real, expected, None);
            }
            Op::CloseKey(number) => {
                let key = KEYS[usize::from(number) % 6];
                let (real, expected) = (self.core.close_key(&key), self.model.close_key(key));
                self.close_all(real, expected, None);
            }
            Op::Expire => {
                let (real, expected) = (self.core.expire(self.at(self.now)), self.model.expire(self.now));
                self.close_all(real, expected, None);
            }
            Op::NoDescriptors => {
                let reason = CloseReason::OutOfDescriptors;
                let (real, expected) = (self.core.evict_oldest(reason), self.model.close_oldest(reason));
                self.close_all(real.into_iter().collect(), expected.into_iter().collect(), None);
            }
            Op::HangUp(which) => {
                let idle = self.core.seen_idle();
                assert_eq!(idle.len(), self.model.idle.len());
                if !idle.is_empty() {
                    let (which, reason) = (which % idle.len(), CloseReason::PeerClosed);
                    let real = self.core.evict_if_unused(idle[which].0, reason);
                    let expected = self.model.close_idle(self.model.idle[which], How::Release, reason);
                    self.close_all(real.into_iter().collect(), vec![expected], None);
                }
            }
            Op::Pin(number) => {
                let key = KEYS[usize::from(number) % 6];
                self.model.pins.push(key);
                self.pins.push((key, self.core.pin(&key)));
            }
            Op::Unpin(which) if !self.pins.is_empty() => {
                let (key, pin) = self.pins.remove(which % self.pins.len());
                self.model.pins.remove(self.model.pins.iter().position(|&other| other == key).expect("it is pinned"));
                self.core.unpin(pin);
            }
            Op::Unpin(_) => {}
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

    fn with_ticket(&mut self, who: usize, act: impl FnOnce(&mut World, u32, Ticket, u64)) {
        if !self.tickets.is_empty() {
            let (waiter, ticket, thread) = self.tickets.remove(who % self.tickets.len());
            act(self, waiter, ticket, thread);
        }
    }

    fn checkout(&mut self, key: Key, thread: u64) {
        let (expected, gone) = self.model.checkout(key, self.now, thread);
        let waiter = if let Given::Wait { waiter } = expected { waiter } else { u32::MAX };
        let (now, rung) = (self.at(self.now), &self.rung);
        let (abort, waker) = (Holder::default, || Bell(waiter, Rc::clone(rung)));
        let (real, victims) = self.core.reuse_or_checkout(&key, now, thread, abort, waker);
        match (real, expected) {
            (Checkout::Granted(grant), expected) => self.take(grant, expected),
            (Checkout::Closed, Given::Closed) => {}
            (Checkout::Queued(ticket), Given::Wait { waiter }) => self.tickets.push((waiter, ticket, thread)),
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
            (Grant::Conn(Idle { unit, conn, since, suspect }), Given::Conn { place, .. }) => {
                self.same(unit, place);
                let seconds = since.saturating_since(self.at(0)).as_secs();
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
            (Ok(oldest), Ok(gone)) => self.close_all(oldest.into_iter().collect(), gone.into_iter().collect(), None),
            (Err(victim), Err((expected, gone))) => {
                assert_eq!(victim.reason, expected);
                self.close_all(vec![victim], vec![gone], None);
            }
            (real, expected) => panic!("{real:?} instead of {expected:?}"),
        }
    }

    fn discard(&mut self, hand: Hand, ending: Ending) {
        self.hang_up(&hand);
        let real = self.core.discard(hand.unit, ending);
        let expected = self.model.discard(hand.place, ending);
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

    /// The thread notes itself in the abort of the unit, as a read does, and not in the core.
    fn touch(&mut self, hand: Hand, thread: u64) {
        self.core.abort_of(hand.unit).set_holder(thread);
        self.model.place(hand.place).holder = thread;
        self.hands.push(hand);
    }

    fn turn(&mut self, waiter: u32, ticket: Ticket, thread: u64) {
        let (real, expected) = (self.core.turn(ticket, self.at(self.now), thread), self.model.turn(waiter));
        self.turned((waiter, ticket, thread), real, expected);
    }

    fn cancel(&mut self, waiter: u32, ticket: Ticket, thread: u64) {
        self.model.interrupt(waiter);
        let (real, expected) = (self.core.cancel(ticket, self.at(self.now), thread), self.model.turn(waiter));
        self.turned((waiter, ticket, thread), real, expected);
    }

    fn interrupt(&mut self, waiter: u32, ticket: Ticket, thread: u64) {
        self.model.interrupt(waiter);
        self.core.interrupt(ticket);
        self.tickets.push((waiter, ticket, thread));
    }

    fn turned(&mut self, waiter: (u32, Ticket, u64), real: Turn<u32>, expected: Given) {
        match (real, expected) {
            (Turn::Waiting, Given::Wait { .. }) => self.tickets.push(waiter),
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
        let model = &mut self.model;
        // A counter that was read does not fall.
        model.read = model.read.max(model.did.reused);
        assert_eq!(self.core.stats(), model.stats(PoolStats { reused: model.read, ..model.did }, |_| true));
        for key in KEYS {
            let (did, read) = (model.did_each[index(key)], &mut model.read_each[index(key)]);
            *read = did.reused.max(*read);
            let did = PoolStats { reused: *read, ..did };
            assert_eq!(self.core.stats_of(&key), model.stats(did, |other| other == key), "{key:?}");
        }
        self.compare_holders();
        let Rules { open, total, max_idle, .. } = self.model.rules;
        assert!(max_idle.is_none_or(|most| self.core.stats().idle <= most), "idle connections in all");
        assert!(total.is_none_or(|limit| self.sockets.len() <= limit), "sockets in all");
        for endpoint in 0..3 {
            let sockets = self.sockets.iter().filter(|socket| socket.1 == endpoint).count();
            assert!(open.is_none_or(|limit| sockets <= limit), "sockets of endpoint {endpoint}");
        }
    }

    /// Each waiter asks what its own thread holds of the connections that it waits for.
    fn compare_holders(&mut self) {
        for &(waiter, ticket, thread) in &self.tickets {
            let expected = self.model.holding(waiter, self.now);
            let real = self.core.held_by(ticket, thread, Duration::from_secs(self.now));
            let seen = real.as_ref().map(|it| (it.one.is_some(), it.alone_for.map(|time| time.as_secs()), it.any));
            assert_eq!(seen, expected.map(|(own, _, alone, any)| (own > 0, alone, any)), "waiter {waiter}");
            let one = real.and_then(|holding| holding.one);
            assert!(one.is_none_or(|one| one.holder() == thread), "waiter {waiter} has another's connection");
        }
        for (key, turn) in KEYS.into_iter().zip(self.now..) {
            // One thread a key and step is enough: there are many steps.
            let thread = 1 + turn % 3;
            let awaited = self.model.awaited(key.0);
            let in_use = awaited.iter().filter(|place| place.at != At::Idle).count();
            let own = |place: &&&Place| place.holder == thread && matches!(place.at, At::Leased | At::Dialing);
            let held_here = awaited.iter().filter(own).count();
            let waiters = self.model.waiters.iter();
            let queued = waiters.filter(|it| it.fate == Fate::Waiting && it.key.0 == key.0).count();
            assert_eq!(self.core.pressure(&key, thread), Pressure { in_use, held_here, queued }, "{key:?}");
        }
    }

    /// Everybody leaves; the pool closes and ends empty.
    pub(crate) fn wind_down(&mut self) {
        self.step(Op::Close);
        while !self.pins.is_empty() {
            self.step(Op::Unpin(0));
        }
        while !self.tickets.is_empty() || !self.hands.is_empty() || !self.closing.is_empty() {
            for op in [Op::Cancel(0), Op::Checkin { who: 0, keep: None, late: false }, Op::DialFailed(0), Op::Settle(0)]
            {
                self.step(op);
            }
        }
        assert!(self.core.is_blank() && self.sockets.is_empty());
    }
}
