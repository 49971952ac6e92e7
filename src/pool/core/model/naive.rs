//! The same rules again, naively: one thread, plain vectors, every question answered by a scan.

use crate::close_reason::CloseReason;
use crate::pool::stats::PoolStats;
use crate::pool::types::Ending;

pub(super) type Key = (u8, u8);

pub(super) const KEYS: [Key; 6] = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)];

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) open: Option<usize>,
    pub(crate) idle: Option<usize>,
    pub(crate) total: Option<usize>,
    pub(crate) idle_timeout: Option<u64>,
    pub(crate) max_age: Option<u64>,
    pub(crate) max_idle: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum At {
    Idle,
    Granted,
    Dialing,
    Leased,
    Closing,
}

#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) number: u32,
    pub(super) key: Key,
    pub(super) at: At,
    pub(super) conn: Option<u32>,
    /// The thread that took it or touched it last.
    pub(super) holder: u64,
    pub(super) epoch: u32,
    pub(super) born: u64,
    pub(super) since: u64,
    pub(super) until: Option<u64>,
    pub(super) passed_on: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    Waiting,
    Granted(u32),
    Closed,
    Cancelled,
}

#[derive(Clone, Debug)]
pub(super) struct Waiter {
    pub(super) number: u32,
    pub(super) key: Key,
    pub(super) thread: u64,
    /// Since when its thread holds all that it waits for.
    pub(super) alone: Option<u64>,
    pub(super) fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Given {
    Dial { place: u32 },
    Conn { place: u32, conn: u32, since: u64, suspect: bool },
    Wait { waiter: u32 },
    Closed,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum How {
    Kept,
    Release,
    PassOn,
}

/// A connection to close.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gone {
    pub(super) conn: u32,
    pub(super) place: u32,
    pub(super) how: How,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) rules: Rules,
    pub(super) closed: bool,
    pub(super) epoch: u32,
    pub(super) numbers: u32,
    pub(super) places: Vec<Place>,
    /// From the oldest to the newest.
    pub(super) idle: Vec<u32>,
    /// By arrival; those whose wait is over stay until they come to know it.
    pub(super) waiters: Vec<Waiter>,
    pub(super) woken: Vec<u32>,
    /// Per endpoint: hand-overs in a row past an older waiter, and since when idle connections are suspect.
    pub(super) overtaken: [u32; 3],
    pub(super) suspect: [Option<u64>; 3],
    /// Per key: what was opened before that epoch is not kept, and why.
    pub(super) ended: [(u32, Option<CloseReason>); 6],
    pub(super) pins: Vec<Key>,
    /// What all keys have done, and each since it was last heard of.
    pub(super) did: PoolStats,
    pub(super) did_each: [PoolStats; 6],
    /// The highest `reused` that was read, of all and of each key.
    pub(super) read: u64,
    pub(super) read_each: [u64; 6],
}

/// The place of a key in a table.
pub(super) fn index(key: Key) -> usize {
    usize::from(key.0 * 2 + key.1)
}

impl Model {
    pub(super) fn place(&mut self, number: u32) -> &mut Place {
        self.places.iter_mut().find(|place| place.number == number).expect("a place there is")
    }

    pub(super) fn key_of(&self, number: u32) -> Key {
        self.places.iter().find(|place| place.number == number).expect("a place there is").key
    }

    pub(super) fn note(&mut self, key: Key, note: impl Fn(&mut PoolStats)) {
        note(&mut self.did);
        note(&mut self.did_each[index(key)]);
    }

    fn note_closing(&mut self, number: u32, reason: CloseReason) {
        self.note(self.key_of(number), |did| did.count_closed(reason));
    }

    /// How all keys stand, or those that count.
    pub(super) fn stats(&self, did: PoolStats, counts: impl Fn(Key) -> bool) -> PoolStats {
        let at = |at| self.places.iter().filter(|place| counts(place.key) && place.at == at).count();
        let (idle, dialing) = (at(At::Idle), at(At::Dialing));
        let in_use = at(At::Leased) + at(At::Granted) + at(At::Closing);
        let waiting = self.waiters.iter().filter(|it| counts(it.key) && it.fate == Fate::Waiting).count();
        PoolStats { open: idle + dialing + in_use, idle, in_use, dialing, waiting, ..did }
    }

    pub(super) fn room_at(&self, endpoint: u8) -> bool {
        let open = self.places.iter().filter(|place| place.key.0 == endpoint).count();
        self.rules.open.is_none_or(|limit| open < limit)
    }

    pub(super) fn room_in_all(&self) -> bool {
        let open = self.places.iter().filter(|place| !place.passed_on).count();
        self.rules.total.is_none_or(|limit| open < limit)
    }

    /// The oldest waiter at an endpoint.
    pub(super) fn first_at(&self, endpoint: u8) -> Option<Waiter> {
        self.waiters.iter().find(|it| it.fate == Fate::Waiting && it.key.0 == endpoint).cloned()
    }

    /// The oldest waiter whose endpoint has room.
    pub(super) fn first_held(&self) -> Option<Waiter> {
        self.waiters.iter().find(|it| it.fate == Fate::Waiting && self.room_at(it.key.0)).cloned()
    }

    pub(super) fn end_wait(&mut self, number: u32, fate: Fate) {
        self.woken.push(number);
        self.waiters.iter_mut().find(|it| it.number == number).expect("somebody who waits").fate = fate;
    }

    pub(super) fn dial(&mut self, number: u32, thread: u64) -> Given {
        let epoch = self.epoch;
        let place = self.place(number);
        (place.at, place.epoch, place.holder) = (At::Dialing, epoch, thread);
        Given::Dial { place: number }
    }

    pub(super) fn open(&mut self, key: Key, holder: u64) -> u32 {
        let number = self.numbers;
        self.numbers += 1;
        let (at, epoch) = (At::Dialing, self.epoch);
        let (conn, until) = (None, None);
        let place = Place { number, key, at, conn, holder, epoch, born: 0, since: 0, until, passed_on: false };
        self.places.push(place);
        number
    }

    pub(super) fn lease(&mut self, number: u32, thread: u64) -> Given {
        let place = self.place(number);
        (place.at, place.holder) = (At::Leased, thread);
        let (conn, since, endpoint) = (place.conn.take().expect("a connection"), place.since, place.key.0);
        let suspect = self.suspect[endpoint as usize].is_some_and(|until| since <= until);
        Given::Conn { place: number, conn, since, suspect }
    }

    /// Takes a connection off the idle ones, to be closed.
    pub(super) fn close_idle(&mut self, number: u32, how: How, reason: CloseReason) -> Gone {
        self.idle.retain(|&idle| idle != number);
        self.note_closing(number, reason);
        let place = self.place(number);
        place.at = At::Closing;
        Gone { conn: place.conn.take().expect("a connection"), place: number, how }
    }

    pub(super) fn close_oldest(&mut self, reason: CloseReason) -> Option<Gone> {
        let oldest = *self.idle.first()?;
        Some(self.close_idle(oldest, How::Release, reason))
    }

    pub(super) fn is_expired(&mut self, number: u32, now: u64) -> bool {
        self.place(number).until.is_some_and(|until| until <= now)
    }

    pub(super) fn expiry_reason(&mut self, number: u32, now: u64) -> CloseReason {
        let born = self.place(number).born;
        let old = self.rules.max_age.is_some_and(|age| born + age <= now);
        if old { CloseReason::MaxAge } else { CloseReason::IdleTimeout }
    }

    pub(super) fn close_expired(&mut self, now: u64) -> Vec<Gone> {
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

    pub(super) fn checkout(&mut self, key: Key, now: u64, thread: u64) -> (Given, Vec<Gone>) {
        if self.closed {
            return (Given::Closed, Vec::new());
        }
        if self.first_at(key.0).is_none() {
            let newest = self.idle.iter().rev().copied().find(|&idle| self.key_of(idle) == key);
            if let Some(newest) = newest.filter(|&newest| self.is_expired(newest, now)) {
                let reason = self.expiry_reason(newest, now);
                let gone = self.close_idle(newest, How::Kept, reason);
                return (self.dial(newest, thread), vec![gone]);
            }
            if let Some(newest) = newest {
                self.note(key, |did| did.reused += 1);
                self.idle.retain(|&idle| idle != newest);
                return (self.lease(newest, thread), self.close_expired(now));
            }
            if self.room_at(key.0) && self.room_in_all() {
                return (Given::Dial { place: self.open(key, thread) }, self.close_expired(now));
            }
            if let Some(made) = self.make_room(key, thread) {
                return made;
            }
        }
        let waiter = self.numbers;
        self.numbers += 1;
        self.waiters.push(Waiter { number: waiter, key, thread, alone: None, fate: Fate::Waiting });
        (Given::Wait { waiter }, Vec::new())
    }

    pub(super) fn make_room(&mut self, key: Key, thread: u64) -> Option<(Given, Vec<Gone>)> {
        let own_only = !self.room_at(key.0);
        let victim = self.idle.iter().copied().find(|&idle| !own_only || self.key_of(idle).0 == key.0)?;
        if self.key_of(victim).0 == key.0 {
            let gone = self.close_idle(victim, How::Kept, CloseReason::EvictedForLimit);
            self.place(victim).key = key;
            return Some((self.dial(victim, thread), vec![gone]));
        }
        let gone = self.close_idle(victim, How::Release, CloseReason::EvictedForLimit);
        self.place(victim).passed_on = true;
        Some((Given::Dial { place: self.open(key, thread) }, vec![gone]))
    }

    pub(super) fn turn(&mut self, number: u32) -> Given {
        let at = self.waiters.iter().position(|it| it.number == number).expect("a ticket that is out");
        let fate = self.waiters[at].fate;
        if fate == Fate::Waiting {
            return Given::Wait { waiter: number };
        }
        let thread = self.waiters.remove(at).thread;
        match fate {
            Fate::Granted(place) if self.place(place).conn.is_some() => self.lease(place, thread),
            Fate::Granted(place) => self.dial(place, thread),
            Fate::Closed => Given::Closed,
            _ => Given::Cancelled,
        }
    }

    /// What the thread of a waiter holds of the places that it waits for: how many, how many others hold, how long it
    /// has held all, and whether it holds a place at all. `None` if the wait is over.
    pub(super) fn holding(&mut self, number: u32, now: u64) -> Option<(usize, usize, Option<u64>, bool)> {
        let waiter = self.waiters.iter().find(|it| it.number == number && it.fate == Fate::Waiting)?.clone();
        let is_own = |place: &&Place| place.holder == waiter.thread && matches!(place.at, At::Leased | At::Dialing);
        let awaited = self.awaited(waiter.key.0);
        let own = awaited.iter().copied().filter(is_own).count();
        let others = awaited.len() - own;
        let alone = (own > 0 && others == 0).then_some(waiter.alone.unwrap_or(now));
        let any = self.places.iter().any(|place| is_own(&place));
        let noted = self.waiters.iter_mut().find(|it| it.number == number).expect("it was found before");
        noted.alone = alone;
        Some((own, others, alone.map(|since| now - since), any))
    }

    /// The places that somebody waits for who wants this endpoint.
    pub(super) fn awaited(&self, endpoint: u8) -> Vec<&Place> {
        let for_any = self.room_at(endpoint);
        self.places.iter().filter(|place| for_any || place.key.0 == endpoint).collect()
    }

    pub(super) fn interrupt(&mut self, number: u32) {
        if self.waiters.iter().any(|it| it.number == number && it.fate == Fate::Waiting) {
            self.end_wait(number, Fate::Cancelled);
        }
    }

    pub(super) fn opened(&mut self, number: u32, now: u64) {
        self.note(self.key_of(number), |did| did.created += 1);
        let place = self.place(number);
        (place.at, place.born) = (At::Leased, now);
    }

    pub(super) fn checkin(
        &mut self,
        number: u32,
        conn: u32,
        now: u64,
        keep_until: Option<u64>,
    ) -> Result<Option<Gone>, (CloseReason, Gone)> {
        let now = self.idle.last().copied().map_or(now, |newest| now.max(self.place(newest).since));
        let born = self.place(number).born;
        let idle_end = self.rules.idle_timeout.map(|limit| now + limit);
        let ends = [idle_end, self.rules.max_age.map(|limit| born + limit), keep_until];
        let until = ends.into_iter().flatten().min();
        if let Some((reason, how)) = self.refusal(number, now, until) {
            self.note_closing(number, reason);
            self.place(number).at = At::Closing;
            return Err((reason, Gone { conn, place: number, how }));
        }
        let place = self.place(number);
        (place.conn, place.since, place.until) = (Some(conn), now, until);
        let endpoint = place.key.0;
        match self.first_at(endpoint) {
            Some(next) => {
                self.place(number).at = At::Granted;
                self.note(next.key, |did| {
                    did.reused += 1;
                    did.handed_over += 1;
                });
                self.end_wait(next.number, Fate::Granted(number));
            }
            None => {
                self.place(number).at = At::Idle;
                self.idle.push(number);
                if self.rules.max_idle.is_some_and(|most| self.idle.len() > most) {
                    return Ok(self.close_oldest(CloseReason::EvictedForLimit));
                }
            }
        }
        Ok(None)
    }

    pub(super) fn refusal(&mut self, number: u32, now: u64, until: Option<u64>) -> Option<(CloseReason, How)> {
        let Place { key, epoch, .. } = *self.place(number);
        if self.closed {
            return Some((CloseReason::PoolClosed, How::Release));
        }
        if let (end, Some(reason)) = self.ended[index(key)]
            && epoch < end
        {
            return Some((reason, How::Release));
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

    pub(super) fn discard(&mut self, number: u32, ending: Ending) -> Option<Gone> {
        match ending {
            Ending::Unused => {}
            Ending::DialFailed => self.note(self.key_of(number), |did| did.dial_failures += 1),
            Ending::Closed(reason) => self.note_closing(number, reason),
        }
        self.settle(How::Release, number)
    }

    pub(super) fn settle(&mut self, how: How, number: u32) -> Option<Gone> {
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
            let place = self.open(next.key, 0);
            self.place(place).at = At::Granted;
            self.end_wait(next.number, Fate::Granted(place));
        }
        self.first_held()?;
        self.close_oldest(CloseReason::EvictedForLimit)
    }

    pub(super) fn renew(&mut self, number: u32, since: u64, reason: CloseReason) -> Given {
        self.note_closing(number, reason);
        let suspect = &mut self.suspect[self.key_of(number).0 as usize];
        *suspect = (*suspect).max(Some(since));
        let thread = self.place(number).holder;
        self.dial(number, thread)
    }

    pub(super) fn replace_dead(
        &mut self,
        number: u32,
        since: u64,
        reason: CloseReason,
        now: u64,
    ) -> (Given, Option<Gone>) {
        let key = self.key_of(number);
        self.note(key, |did| did.reused -= 1);
        let newest = self.idle.iter().rev().copied().find(|&idle| self.key_of(idle) == key);
        match newest.filter(|&newest| !self.is_expired(newest, now)) {
            None => (self.renew(number, since, reason), None),
            Some(newest) => {
                self.renew(number, since, reason);
                self.note(key, |did| did.reused += 1);
                self.idle.retain(|&idle| idle != newest);
                let thread = self.place(number).holder;
                (self.lease(newest, thread), self.settle(How::Release, number))
            }
        }
    }

    pub(super) fn close(&mut self) -> Vec<Gone> {
        self.closed = true;
        for waiter in self.waiters.clone().iter().filter(|it| it.fate == Fate::Waiting) {
            self.end_wait(waiter.number, Fate::Closed);
        }
        self.idle.clone().iter().map(|&idle| self.close_idle(idle, How::Release, CloseReason::PoolClosed)).collect()
    }

    /// Ends the keys that count.
    pub(super) fn retire(&mut self, counts: impl Fn(Key) -> bool, reason: CloseReason) -> Vec<Gone> {
        self.epoch += 1;
        for key in KEYS.into_iter().filter(|&key| counts(key)) {
            self.ended[index(key)] = (self.epoch, Some(reason));
        }
        let idle: Vec<u32> = self.idle.iter().copied().filter(|&idle| counts(self.key_of(idle))).collect();
        idle.into_iter().map(|idle| self.close_idle(idle, How::Release, reason)).collect()
    }

    pub(super) fn expire(&mut self, now: u64) -> Vec<Gone> {
        let mut over = self.idle.clone();
        over.retain(|&idle| self.is_expired(idle, now));
        let mut gone = Vec::new();
        for idle in over {
            let reason = self.expiry_reason(idle, now);
            gone.push(self.close_idle(idle, How::Release, reason));
        }
        gone
    }

    pub(super) fn close_key(&mut self, key: Key) -> Vec<Gone> {
        for waiter in self.waiters.clone().iter().filter(|it| it.key == key && it.fate == Fate::Waiting) {
            self.end_wait(waiter.number, Fate::Closed);
        }
        self.retire(|other| other == key, CloseReason::PoolClosed)
    }

    /// What was learnt about an endpoint goes with its last place, its last waiter and its last pin; and what a key
    /// did, with its own.
    pub(super) fn forget(&mut self) {
        let known: Vec<Key> = (self.places.iter().map(|place| place.key))
            .chain(self.waiters.iter().map(|waiter| waiter.key))
            .chain(self.pins.iter().copied())
            .collect();
        for key in KEYS {
            if !known.contains(&key) {
                self.did_each[index(key)] = PoolStats::default();
                self.read_each[index(key)] = 0;
            }
            if !known.iter().any(|known| known.0 == key.0) {
                self.overtaken[key.0 as usize] = 0;
                self.suspect[key.0 as usize] = None;
            }
        }
    }
}
