//! What a core is made of: the types it is generic over, its settings, and the hash of its maps.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::close_reason::CloseReason;

/// The types a pool is made of.
pub(crate) trait CoreTypes {
    /// What a connection is filed under: two requests with equal keys may share connections.
    type Key: Key;
    type Conn;
    /// Reaches the connection of a unit from outside while a caller uses it.
    type Abort: Clone;
    type Waker: Wake;
}

pub(crate) trait Key: Clone + Eq + Hash + Send + Sync + 'static {
    /// What limits count: several keys can lead to one endpoint.
    type Endpoint: Clone + Eq + Hash + Send;

    fn endpoint(&self) -> Self::Endpoint;
}

/// The keys of tests: an endpoint, and which of its keys.
#[cfg(any(test, fuzzing))]
impl Key for (u8, u8) {
    type Endpoint = u8;

    fn endpoint(&self) -> u8 {
        self.0
    }
}

/// Wakes the thread that waits on a ticket. Called under the pool's lock.
pub(crate) trait Wake {
    fn wake(&self);
}

/// What became of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing was dialed.
    Unused,
    DialFailed,
    /// A connection was there, and was closed for that reason.
    Closed(CloseReason),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Open connections an endpoint.
    pub(crate) open_limit: Option<usize>,
    /// Idle connections kept an endpoint.
    pub(crate) idle_limit: Option<usize>,
    /// Open connections in all.
    pub(crate) total_limit: Option<usize>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_age: Option<Duration>,
    /// A call fails rather than wait for connections that its own thread has, all of them.
    pub(crate) refuse_self_deadlock: bool,
    /// How often idle connections are looked at from the background, if at all.
    pub(crate) reap_every: Option<Duration>,
    /// Idle connections in all.
    pub(crate) max_idle: Option<usize>,
}

/// The hash of keys that hash themselves: an origin takes its hash once, with a key of the process.
#[derive(Default)]
pub(crate) struct Prehashed(u64);

impl Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // Mixes several parts of a key; one already well-mixed part stays so.
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
