//! The types that a core is generic over, its settings, and the hash of its maps.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::close_reason::CloseReason;

/// The types of a pool.
pub(crate) trait CoreTypes {
    /// Requests with equal keys may share connections.
    type Key: Key;
    type Conn;
    /// Interrupts the connection of a unit while a caller uses it, from another thread. Also knows which thread that is.
    type Abort: Clone + Touched;
    type Waker: Wake;
}

pub(crate) trait Key: Clone + Eq + Hash + Send + Sync + 'static {
    /// Limits count connections of an endpoint. Several keys can belong to one endpoint.
    type Endpoint: Clone + Eq + Hash + Send;

    fn endpoint(&self) -> Self::Endpoint;
}

/// The keys of tests: the endpoint, and the number of the key.
#[cfg(any(test, fuzzing))]
impl Key for (u8, u8) {
    type Endpoint = u8;

    fn endpoint(&self) -> u8 {
        self.0
    }
}

/// Wakes the thread that waits with a ticket. Called under the pool's lock.
pub(crate) trait Wake {
    fn wake(&self);
}

/// Knows the thread that holds a connection: the one that took it, or the one that has read from it since.
///
/// A response may go to another thread. A read notes the new thread here, without the pool's lock.
pub(crate) trait Touched {
    /// Returns the number of the holder, or 0 if there is none yet.
    fn holder(&self) -> u64;

    fn set_holder(&self, thread: u64);

    /// Forgets the connection before and what has ended it: its unit goes to a call that had no part in it.
    fn begin_anew(&self);
}

/// How long a call waits for its own thread, if nothing else is set.
pub(crate) const OWN_WAIT: Duration = Duration::from_secs(5);

/// How the use of a unit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing was dialed.
    Unused,
    DialFailed,
    /// The connection was closed for this reason.
    Closed(CloseReason),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The most open connections of one endpoint.
    pub(crate) open_limit: Option<usize>,
    /// The most idle connections of one endpoint.
    pub(crate) idle_limit: Option<usize>,
    /// The most open connections of all endpoints.
    pub(crate) total_limit: Option<usize>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_age: Option<Duration>,
    /// How long a call without a bound waits for connections that its own thread holds all of, before it fails. `None`
    /// if it never fails.
    pub(crate) own_wait: Option<Duration>,
    /// How often the reaper looks at idle connections. Without a value there is no reaper.
    pub(crate) reap_every: Option<Duration>,
    /// The most idle connections of all endpoints.
    pub(crate) max_idle: Option<usize>,
}

/// A hasher for keys that contain their hash: an origin computes its hash once, with a random key of the process.
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
        // Mixes several values of a key. A single value that is well mixed stays so.
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
