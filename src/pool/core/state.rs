//! What the core keeps: keys, endpoints, units and waiters, and the lists they stand in.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasherDefault;

use crate::close_reason::CloseReason;
use crate::pool::arena::{Arena, Id, Link, Linked, List};
use crate::pool::stats::{PoolStats, Shown};
use crate::pool::types::{CoreTypes, Key, Prehashed, Settings};
use crate::time::Stamp;

pub(crate) struct Core<P: CoreTypes> {
    pub(super) settings: Settings,
    pub(super) closed: bool,
    pub(super) next_serial: u64,
    pub(super) forgotten: Vec<P::Key>,
    pub(super) keys: HashMap<P::Key, Id, BuildHasherDefault<Prehashed>>,
    pub(super) entries: Arena<KeyEntry<P>>,
    pub(super) hosts: HashMap<<P::Key as Key>::Endpoint, Id, BuildHasherDefault<Prehashed>>,
    pub(super) endpoints: Arena<Endpoint<P>>,
    pub(super) units: Arena<Unit<P>>,
    /// Units that close while their place under the total has been given to another.
    pub(super) transferred: usize,
    pub(super) idle: List<{ link::ALL }>,
    pub(super) waiters: Arena<Waiter<P>>,
    /// For each endpoint whose oldest waiter is held back by the total alone: that waiter's ticket, and the endpoint.
    pub(super) held_by_total: BTreeSet<(u64, Id)>,
    pub(super) dialing: usize,
    /// Of all keys there have been.
    pub(super) stats: PoolStats,
    pub(super) shown: Shown,
}

mod link {
    pub(super) const ALL: usize = 0;
    pub(super) const KEY: usize = 1;
    pub(super) const QUEUE: usize = 0;
    pub(super) const KEYS: usize = 0;
}

/// One key with its idle connections.
pub(super) struct KeyEntry<P: CoreTypes> {
    pub(super) key: P::Key,
    pub(super) endpoint: Id,
    pub(super) idle: List<{ link::KEY }>,
    /// Units, waiters and pins that refer to it.
    pub(super) refs: usize,
    pub(super) pins: usize,
    /// Connections whose dial began before this serial was given are not kept, for that reason.
    pub(super) retired_before: u64,
    pub(super) retired_for: CloseReason,
    pub(super) stats: PoolStats,
    pub(super) shown: Shown,
    pub(super) link: Link,
}

pub(super) struct Endpoint<P: CoreTypes> {
    pub(super) name: <P::Key as Key>::Endpoint,
    /// Units, whoever owns them.
    pub(super) open: usize,
    /// Idle connections, of all its keys.
    pub(super) idle: usize,
    pub(super) queue: List<{ link::QUEUE }>,
    /// The ticket by which this endpoint stands in `held_by_total`.
    pub(super) held: Option<u64>,
    pub(super) handovers: u32,
    /// A connection that was idle since then was found dead; older ones are looked at before use.
    pub(super) suspect_until: Option<Stamp>,
    pub(super) keys: List<{ link::KEYS }>,
}

pub(super) struct Unit<P: CoreTypes> {
    pub(super) entry: Id,
    pub(super) endpoint: Id,
    pub(super) serial: u64,
    pub(super) conn: Option<P::Conn>,
    pub(super) abort: P::Abort,
    /// The thread that took it last.
    pub(super) holder: u64,
    pub(super) state: State,
    pub(super) born: Option<Stamp>,
    pub(super) since: Option<Stamp>,
    pub(super) expires: Option<Stamp>,
    pub(super) transferred: bool,
    pub(super) links: [Link; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    Granted,
    Dialing,
    Leased,
    Closing,
}

pub(super) struct Waiter<P: CoreTypes> {
    pub(super) ticket: u64,
    pub(super) entry: Id,
    pub(super) waker: P::Waker,
    /// For the unit this waiter may be granted.
    pub(super) abort: P::Abort,
    pub(super) turn: WaiterTurn,
    pub(super) link: Link,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaiterTurn {
    Waiting,
    Granted(Id),
    Closed,
    Cancelled,
}

impl<P: CoreTypes> Linked for Unit<P> {
    fn link(&mut self, list: usize) -> &mut Link {
        &mut self.links[list]
    }

    fn link_ref(&self, list: usize) -> &Link {
        &self.links[list]
    }
}

impl<P: CoreTypes> Linked for KeyEntry<P> {
    fn link(&mut self, _: usize) -> &mut Link {
        &mut self.link
    }

    fn link_ref(&self, _: usize) -> &Link {
        &self.link
    }
}

impl<P: CoreTypes> Linked for Waiter<P> {
    fn link(&mut self, _: usize) -> &mut Link {
        &mut self.link
    }

    fn link_ref(&self, _: usize) -> &Link {
        &self.link
    }
}

impl<P: CoreTypes> Core<P> {
    pub(crate) fn new(settings: Settings) -> Self {
        Core {
            settings,
            closed: false,
            next_serial: 0,
            forgotten: Vec::new(),
            keys: HashMap::default(),
            entries: Arena::new(),
            hosts: HashMap::default(),
            endpoints: Arena::new(),
            units: Arena::new(),
            transferred: 0,
            idle: List::new(),
            waiters: Arena::new(),
            held_by_total: BTreeSet::new(),
            dialing: 0,
            stats: PoolStats::default(),
            shown: Shown::default(),
        }
    }
}
