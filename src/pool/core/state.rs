//! The core's data: keys, endpoints, units and waiters, and the lists that link them.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::time::Duration;

use crate::close_reason::CloseReason;
use crate::pool::arena::{Arena, Id, Link, Linked, List};
use crate::pool::stats::{KeyCounts, PoolStats, Shown};
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
    /// The number of units that are closing and whose slot under the total limit was passed on.
    pub(super) transferred: usize,
    pub(super) idle: List<{ link::ALL }>,
    pub(super) waiters: Arena<Waiter<P>>,
    /// An entry for each endpoint whose oldest waiter only the total limit holds back: the ticket of that waiter, and
    /// the endpoint.
    pub(super) held_by_total: BTreeSet<(u64, Id)>,
    pub(super) dialing: usize,
    /// The counts of all keys, forgotten ones included.
    pub(super) stats: PoolStats,
    pub(super) shown: Shown,
}

pub(super) mod link {
    pub(in crate::pool::core) const ALL: usize = 0;
    pub(in crate::pool::core) const KEY: usize = 1;
    pub(in crate::pool::core) const QUEUE: usize = 0;
    pub(in crate::pool::core) const KEYS: usize = 0;
}

/// A key with its idle connections and its counts.
pub(super) struct KeyEntry<P: CoreTypes> {
    pub(super) key: P::Key,
    pub(super) endpoint: Id,
    pub(super) idle: List<{ link::KEY }>,
    /// The number of units, waiters and pins that refer to the entry.
    pub(super) refs: usize,
    pub(super) pins: usize,
    /// Connections whose dial began before this serial are not kept. `retired_for` is the reason.
    pub(super) retired_before: u64,
    pub(super) retired_for: CloseReason,
    pub(super) counts: KeyCounts,
    pub(super) link: Link,
}

pub(super) struct Endpoint<P: CoreTypes> {
    pub(super) name: <P::Key as Key>::Endpoint,
    /// The number of units in every state.
    pub(super) open: usize,
    /// The number of idle connections of all its keys.
    pub(super) idle: usize,
    pub(super) queue: List<{ link::QUEUE }>,
    /// The ticket of this endpoint in `held_by_total`.
    pub(super) held: Option<u64>,
    pub(super) handovers: u32,
    /// A connection that was idle since this time was found dead. Connections that have been idle as long or longer are
    /// looked at before use.
    pub(super) suspect_until: Option<Stamp>,
    pub(super) keys: List<{ link::KEYS }>,
}

pub(super) struct Unit<P: CoreTypes> {
    pub(super) entry: Id,
    pub(super) endpoint: Id,
    pub(super) serial: u64,
    pub(super) conn: Option<P::Conn>,
    pub(super) abort: P::Abort,
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
    /// The abort handle for the unit that this waiter may be granted.
    pub(super) abort: P::Abort,
    pub(super) turn: WaiterTurn,
    /// How long the caller had waited when its own thread first held all units that it waits for. `None` if another
    /// thread holds one.
    pub(super) alone_since: Option<Duration>,
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
