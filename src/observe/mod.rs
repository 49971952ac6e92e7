//! Tells a [`Listener`] and the log what happens inside a client.
//!
//! Events are told outside the pool's lock, on the thread on which they happen. The pool stays consistent whatever a
//! listener or a logger does: its panic is caught, its own requests are not told of, and they do not wait for a
//! connection.
//!
//! The log is that of the crate `log` (feature `log`) or `tracing` (feature `tracing`). No header, user name, password
//! or query of a URL is ever written to it.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::close_reason::CloseReason;
use crate::error::{Error, ErrorKind, ResponseHead};
use crate::shared;
use crate::time::Stamp;
use crate::urls::Origin;

mod events;
mod lines;
mod listener;
mod telling;

pub use events::{
    Acquired, Answered, Closed, Dialed, Dialing, Redirecting, Released, Retrying, Waited, Waiting, WaitsForItself,
};
#[cfg(feature = "__tls")]
pub(crate) use lines::not_verified;
pub(crate) use lines::{
    cut_short, left_out_cookies, lines_dropped, no_reaper, socks_alias, unfinished_coding, unknown_netrc_word,
    unknown_no_proxy,
};
#[cfg(feature = "native-roots")]
pub(crate) use lines::{skipped_roots, tell_skipped_roots};
pub use listener::Listener;
pub(crate) use telling::is_telling;
use telling::{Ended, Told, tell, tell_closed};

/// The listener to tell, if there is one. The log is written in either case.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<dyn Listener>>);

impl Observer {
    pub(crate) fn new(listener: impl Listener + 'static) -> Observer {
        Observer(Some(shared::already::<Arc<dyn Listener>>(&listener).unwrap_or_else(|| Arc::new(listener))))
    }

    #[inline]
    pub(crate) fn is_listening(&self) -> bool {
        self.0.is_some()
    }

    fn tell(&self, event: impl FnOnce(&dyn Listener)) {
        if let Some(listener) = &self.0
            && !is_telling()
        {
            tell(Told::Listener, || event(&**listener));
        }
    }

    pub(crate) fn waiting(&self, origin: &Origin) {
        self.tell(|listener| listener.waiting(&Waiting { origin }));
    }

    pub(crate) fn waited(&self, origin: &Origin, waited: Duration, granted: bool) {
        self.tell(|listener| listener.waited(&Waited { origin, waited, granted }));
    }

    pub(crate) fn waits_for_itself(&self, event: &WaitsForItself<'_>) {
        lines::waits_for_itself(event);
        self.tell(|listener| listener.waits_for_itself(event));
    }

    /// Tells that a dial begins. The returned value tells how it ends.
    pub(crate) fn dialing<'a>(&'a self, origin: &'a Arc<Origin>) -> Dial<'a> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        // If the beginning is not told, nothing is told of the dial and its connection later.
        let told = (self.is_listening() && !is_telling()).then_some(self);
        self.tell(|listener| listener.dialing(&Dialing { origin, id }));
        Dial { told, origin, id, began: Instant::now(), has_ended: false }
    }

    pub(crate) fn answered(&self, event: &Answered<'_>) {
        lines::answered(event);
        self.tell(|listener| listener.answered(event));
    }

    pub(crate) fn retrying(&self, event: &Retrying<'_>) {
        lines::retrying(event);
        self.tell(|listener| listener.retrying(event));
    }

    pub(crate) fn redirecting(&self, event: &Redirecting<'_>) {
        lines::redirecting(event);
        self.tell(|listener| listener.redirecting(event));
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_listening() { "Observer(a listener)" } else { "Observer(nobody)" })
    }
}

/// A connection that is being opened. If this is dropped before the dial has ended, the dialer panicked.
pub(crate) struct Dial<'a> {
    told: Option<&'a Observer>,
    origin: &'a Arc<Origin>,
    id: u64,
    began: Instant,
    has_ended: bool,
}

impl Dial<'_> {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn failed(mut self, error: &Error) {
        self.end(Some(error.kind()), None);
    }

    /// Tells that the connection is open, and by which response if it is a tunnel. The returned record must be dropped after the connection is closed.
    pub(crate) fn opened(mut self, tunnel: Option<&ResponseHead>) -> Record {
        self.end(None, tunnel);
        let (observer, origin) = (self.told.cloned().unwrap_or_default(), Arc::clone(self.origin));
        Record { observer, origin, id: self.id, opened: Stamp::now(), requests: 0, reason: CloseReason::Failed }
    }

    fn end(&mut self, error: Option<&ErrorKind>, tunnel: Option<&ResponseHead>) {
        self.has_ended = true;
        let (Dial { told, origin, id, .. }, took) = (&*self, self.began.elapsed());
        match error {
            None => lines::opened(*id, origin, took),
            Some(kind) => lines::not_opened(origin, took, kind),
        }
        if let Some(observer) = told {
            observer.tell(|listener| listener.dialed(&Dialed { origin, id: *id, took, error, tunnel }));
        }
    }
}

impl Drop for Dial<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end(Some(&ErrorKind::Custom), None);
        }
    }
}

/// The life of one connection. Its drop tells that the connection is closed.
pub(crate) struct Record {
    observer: Observer,
    origin: Arc<Origin>,
    id: u64,
    opened: Stamp,
    requests: u32,
    /// The reason to tell if the record is dropped now.
    reason: CloseReason,
}

impl Record {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    #[inline]
    pub(crate) fn begin_use(&mut self, since: Option<Stamp>) {
        self.requests = self.requests.saturating_add(1);
        if self.observer.is_listening() {
            self.acquired(since);
        }
    }

    #[cold]
    fn acquired(&self, since: Option<Stamp>) {
        let Record { origin, id, .. } = self;
        let event = Acquired { origin, id: *id, reused: since.is_some(), since };
        self.observer.tell(|listener| listener.acquired(&event));
    }

    #[inline]
    pub(crate) fn end_use(&self) {
        if self.observer.is_listening() {
            self.released();
        }
    }

    #[cold]
    fn released(&self) {
        self.observer.tell(|listener| listener.released(&Released { origin: &self.origin, id: self.id }));
    }

    pub(crate) fn ends(&mut self, reason: CloseReason) {
        self.reason = reason;
    }

    #[cold]
    fn closed(&mut self) {
        let Some(listener) = mem::take(&mut self.observer).0 else { return };
        let Record { id, reason, requests, .. } = *self;
        let (origin, age) = (Arc::clone(&self.origin), Stamp::now().saturating_since(self.opened));
        tell_closed(Ended { listener, origin, id, reason, age, requests: requests.into() });
    }

    /// Logs that the connection is closed because the pool is full. `count` is the number of such closes of its key so
    /// far, this one included.
    pub(crate) fn report_surplus(&self, count: u64) {
        lines::surplus(self.id, &self.origin, count);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        lines::closed(self.id, &self.origin, self.reason, self.requests.into());
        if self.observer.is_listening() {
            self.closed();
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {} to {}", self.id, self.origin)
    }
}
