//! A TLS connection over any transport.
//!
//! The TLS library works on memory only, under a lock that is never held while bytes move. Ciphertext is received into a scratch
//! buffer of the thread, and outgoing ciphertext is moved out of the lock before it is sent. So one thread can be
//! blocked in `recv` while another one sends.
//!
//! Received bytes are the connection's backlog until the library has taken it, in the same buffer. `recv` feeds the
//! library from it and moves the plaintext of each record to the caller before the next record is fed.
//!
//! A `send` with a `Wait` that watches the input also receives. Only a thread that does both may use it: if two threads
//! received at once, the order of their ciphertext would be lost.

use std::io::{self, IoSlice};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::backlog::{self, Backlog};
use super::session::{Backend, Fed, Session};
use crate::cancel::Blocked;
use crate::error::{Bound, Error, ErrorKind, Phase, Result, TlsFailure, TlsFault};
use crate::net::abort::AbortCell;
use crate::net::transport::{Probe, Transport, TransportInfo, Wait};
use crate::process::Home;
use crate::sync::{Condvar, Mutex, MutexGuard, wait_until};
use crate::time::Deadline;
use crate::urls::Origin;

/// The largest buffer for outgoing ciphertext that is kept between sends. It holds a request's head.
const KEPT: usize = 4 * 1024;

/// The most receives in one probe. It allows for tickets, key updates and the like in a row.
const PROBE_STEPS: usize = 8;

/// A TLS client connection as a transport.
#[derive(Debug)]
pub(crate) struct TlsStream {
    wire: Box<dyn Transport>,
    shared: Arc<Shared>,
    /// The process that opened the connection.
    home: Home,
}

/// The part of the stream that a token can reach.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Notified when `sending` ends.
    turn: Condvar,
}

/// A thread that waits for its turn to send.
impl Blocked for Shared {
    fn cancel(&self, _: u64) {
        // A thread that asked its token before the fire waits by the time that the lock is free.
        drop(self.state.lock());
        self.turn.notify_all();
    }
}

#[derive(Debug)]
struct State {
    tls: Box<dyn Session>,
    /// Received ciphertext that the library has not taken yet.
    backlog: Backlog,
    /// Ciphertext to be sent, in order.
    outgoing: Vec<u8>,
    /// A thread is sending what it took from `outgoing`. It also sends what is added meanwhile.
    sending: bool,
    /// Bytes of ciphertext that the transport below has accepted.
    sent: u64,
    /// The error of a `send` after the library had taken its plaintext. That plaintext counts as not accepted, so no bytes
    /// may follow it: every later send fails with this error.
    failed: Option<io::ErrorKind>,
    /// A send met a reset and did not report it, because part of the data had been sent. The next receive reports it:
    /// systems report a reset once, and an orderly end after that.
    reset: bool,
    /// The peer has ended its direction, by close_notify or by closing the stream.
    ended: bool,
    /// We have ended our direction by close_notify. Nothing may follow it.
    closing: bool,
    /// The library has refused a record. Each later operation meets this failure.
    broken: Option<TlsFailure>,
}

/// The reason why sending ended.
#[derive(PartialEq)]
enum Flush {
    /// All ciphertext is sent.
    Done,
    /// Input arrived while there was no room.
    Input,
}

impl TlsStream {
    /// Opens a TLS connection over `wire`, with the handshake. `wait` bounds the handshake.
    pub(crate) fn connect(
        backend: &dyn Backend,
        wire: Box<dyn Transport>,
        origin: &Origin,
        wait: &Wait<'_>,
    ) -> Result<TlsStream> {
        let failure = |error: io::Error| handshake_error(error, wait);
        let tls = backend.begin(origin).map_err(|refused| failure(invalid_data(refused)))?;
        let state = State {
            tls,
            backlog: Backlog::default(),
            outgoing: Vec::new(),
            sending: false,
            sent: 0,
            failed: None,
            reset: false,
            ended: false,
            closing: false,
            broken: None,
        };
        let home = wait.abort.map_or_else(Home::here, AbortCell::home);
        let stream =
            TlsStream { wire, shared: Arc::new(Shared { state: Mutex::new(state), turn: Condvar::new() }), home };
        stream.handshake(wait).map_err(failure)?;
        Ok(stream)
    }

    fn handshake(&self, wait: &Wait<'_>) -> io::Result<()> {
        loop {
            self.send_all(self.lock(), wait).map_err(|error| self.refused(error, wait))?;
            if !self.lock().tls.is_handshaking() {
                return Ok(());
            }
            in_time(wait)?;
            // Each round takes in at least a byte or ends: nothing here can spin (RUSTSEC-2024-0336).
            if let Err(error) = self.receive(wait).and_then(|mut state| state.refill()) {
                // Send the alert that tells the peer the reason, if there is room for it.
                let _ = self.send_all(self.lock(), &without_blocking());
                return Err(error);
            }
            let state = self.lock();
            if state.ended && state.tls.is_handshaking() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer ended the handshake"));
            }
        }
    }

    /// Receives ciphertext once, into the backlog. Sets `ended` at the end of the stream.
    fn receive(&self, wait: &Wait<'_>) -> io::Result<MutexGuard<'_, State>> {
        let mut scratch = backlog::take_scratch();
        let received = self.wire.recv(&mut scratch, wait);
        let mut state = self.lock();
        match received {
            Ok(len @ 1..) => {
                state.backlog.put(scratch, len);
                return Ok(state);
            }
            result => {
                backlog::give_back(scratch);
                result?;
            }
        }
        // After an end without close_notify, the library returns an error for the next read.
        state.ended = true;
        if state.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        state.tls.end();
        Ok(state)
    }

    /// Sends all ciphertext, after the thread that is sending now.
    fn send_all<'a>(&'a self, mut state: MutexGuard<'a, State>, wait: &Wait<'_>) -> io::Result<Flush> {
        if state.sending {
            state = self.take_turn(state, wait)?;
        }
        self.send_out(state, wait)
    }

    /// Waits until no other thread is sending.
    #[cold]
    fn take_turn<'a>(&'a self, mut state: MutexGuard<'a, State>, wait: &Wait<'_>) -> io::Result<MutexGuard<'a, State>> {
        // The other thread may have another token, and its connection may outlive this wait.
        let _registered = match wait.wakes {
            false => None,
            true => wait.until.register(|| {
                let shared: Weak<dyn Blocked> = Arc::<Shared>::downgrade(&self.shared);
                (shared, 0)
            }),
        };
        while state.sending {
            if wait.wakes && wait.until.is_fired() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            // Do not check for an abort here: it wakes the thread that is sending.
            match wait.until.slice_end() {
                None => self.shared.turn.wait(&mut state),
                Some(at) if !wait_until(&self.shared.turn, &mut state, at) => {}
                Some(_) if wait.until.is_past() => return Err(io::ErrorKind::TimedOut.into()),
                Some(_) => {
                    drop(state);
                    wait.until.tick();
                    state = self.lock();
                }
            }
        }
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock()
    }

    /// Sends all ciphertext, also what is added meanwhile. Keeps what is unsent after an error, for a later send. The
    /// caller has checked that no other thread is sending.
    fn send_out<'a>(&'a self, mut state: MutexGuard<'a, State>, wait: &Wait<'_>) -> io::Result<Flush> {
        if let Some(kind) = state.failed {
            return Err(kind.into());
        }
        state.encrypt();
        let mut result = Ok(Flush::Done);
        while matches!(result, Ok(Flush::Done)) && !state.outgoing.is_empty() {
            state.sending = true;
            let mut taken = std::mem::take(&mut state.outgoing);
            drop(state);
            let mut sent = 0;
            result = loop {
                if sent == taken.len() {
                    break Ok(Flush::Done);
                }
                match self.wire.send(&[IoSlice::new(&taken[sent..])], wait) {
                    Ok(0) => break Ok(Flush::Input),
                    Ok(len) => sent += len,
                    Err(error) => break Err(error),
                }
            };
            state = self.lock();
            state.sent += sent as u64;
            match sent == taken.len() {
                true => taken.clear(),
                false => drop(taken.drain(..sent)),
            }
            if taken.is_empty() && taken.capacity() > KEPT {
                taken = Vec::new();
            }
            taken.append(&mut state.outgoing);
            state.outgoing = taken;
        }
        if state.sending {
            state.sending = false;
            // All, because one that gives up does not wake the next.
            self.shared.turn.notify_all();
        }
        result
    }

    /// Returns the reason of a failed send, if the peer has said it before it ended the connection: a server that
    /// refuses the client's certificate does so after the handshake of TLS 1.3, and a reset follows. Does not block, and
    /// loses nothing that has arrived.
    fn refused(&self, error: io::Error, wait: &Wait<'_>) -> io::Error {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
        if !matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected) {
            return error;
        }
        // Another thread receives, and meets the refusal.
        if wait.duplex {
            return self.explained(error);
        }
        for _ in 0..PROBE_STEPS {
            let waiting = self.lock().waiting();
            match waiting {
                Err(refusal) => return refusal,
                // An early response: the caller reads it.
                Ok(true) => return self.explained(error),
                Ok(false) => {}
            }
            match self.receive(&without_blocking()) {
                Ok(state) if !state.ended => {}
                _ => break,
            }
        }
        self.explained(error)
    }

    /// Returns the failure behind an end of the connection, or the error itself.
    fn explained(&self, error: io::Error) -> io::Error {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let is_end = matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof);
        match self.lock().tls.explain_end() {
            Some(failure) if is_end => invalid_data(failure),
            _ => error,
        }
    }

    /// Receives while the library takes no plaintext: in another handshake of TLS 1.2, which only native-tls does. Returns
    /// whether the caller has to read first.
    fn receive_before_writing(&self, wait: &Wait<'_>) -> io::Result<bool> {
        if !wait.watch_input {
            // Another thread may be receiving.
            let why = "the server asked for another handshake while the client sends and does not receive";
            return Err(invalid_data(TlsFailure::new(TlsFault::Renegotiation, why, true)));
        }
        in_time(wait)?;
        let mut state = self.lock();
        let has_backlog = !state.backlog.rest().is_empty();
        if state.waiting()? || has_backlog {
            return state.waiting();
        }
        self.send_all(state, wait)?;
        let mut state = self.receive(wait).map_err(|error| self.explained(error))?;
        match state.waiting()? {
            false if state.ended => Err(io::ErrorKind::UnexpectedEof.into()),
            waiting => Ok(waiting),
        }
    }

    /// Sends all ciphertext. If `wait` watches the input, also receives input, and returns `Input` if the caller has to
    /// read some of it.
    fn push<'a>(&'a self, mut state: MutexGuard<'a, State>, wait: &Wait<'_>) -> io::Result<Flush> {
        loop {
            // Input that was received before wakes no wait on the transport below.
            if wait.watch_input && state.keeps_from_sending() {
                return Ok(Flush::Input);
            }
            if self.send_all(state, wait)? == Flush::Done {
                return Ok(Flush::Done);
            }
            if self.probe() != Probe::Quiet {
                return Ok(Flush::Input);
            }
            in_time(wait)?;
            state = self.lock();
        }
    }
}

impl Transport for TlsStream {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut state = self.lock();
        let mut received = false;
        loop {
            if let Some(len) = state.read(buf)? {
                return Ok(len);
            }
            if received {
                in_time(wait)?;
            }
            state.encrypt();
            if state.sending || state.outgoing.is_empty() {
                drop(state);
            } else {
                // Send what `send` left when input came, or an alert: the peer may wait for it. If that fails, the
                // peer's data is still worth reading.
                let _ = self.send_out(state, &Wait { watch_input: true, poll_first: true, ..*wait });
            }
            state = self.receive(wait).map_err(|error| self.explained(error))?;
            if state.ended
                && let Some(failure) = state.tls.explain_end()
            {
                return Err(invalid_data(failure));
            }
            received = true;
        }
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        let mut state = self.lock();
        if state.closing {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if state.has_unsent() {
            drop(state);
            if !self.flush(wait)? {
                return Ok(0);
            }
            state = self.lock();
        }
        let accepted = loop {
            match state.tls.write(bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    drop(state);
                    if self.receive_before_writing(wait)? {
                        return Ok(0);
                    }
                    state = self.lock();
                }
                written => break written?,
            }
        };
        state.encrypt();
        let before = state.sent;
        self.push(state, wait).map(|_| accepted).or_else(|error| {
            let mut state = self.lock();
            if state.sent > before {
                // Part of the data was sent, so it counts as accepted. `flush` sends the rest, and meets the error
                // again.
                state.reset |= error.kind() == io::ErrorKind::ConnectionReset;
                return Ok(accepted);
            }
            if wait.duplex && is_late(&error, wait) {
                return Ok(accepted);
            }
            state.failed = Some(error.kind());
            drop(state);
            Err(self.refused(error, wait))
        })
    }

    fn flush(&self, wait: &Wait<'_>) -> io::Result<bool> {
        let state = self.lock();
        if !state.has_unsent() {
            return Ok(true);
        }
        let before = state.sent;
        match self.push(state, wait) {
            Ok(flush) => Ok(flush == Flush::Done),
            Err(error) if error.kind() == io::ErrorKind::TimedOut && self.lock().sent > before => Ok(false),
            Err(error) => Err(self.refused(error, wait)),
        }
    }

    fn probe(&self) -> Probe {
        for _ in 0..PROBE_STEPS {
            {
                let mut state = self.lock();
                if state.failed.is_some() {
                    return Probe::Dead;
                }
                match state.waiting() {
                    Ok(true) => return Probe::Readable,
                    Ok(false) if state.ended => return Probe::Dead,
                    Ok(false) => {}
                    Err(_) => return Probe::Dead,
                }
            }
            match self.wire.probe() {
                Probe::Readable => {}
                quiet_or_dead => return quiet_or_dead,
            }
            if self.receive(&without_blocking()).is_err() {
                return Probe::Dead;
            }
        }
        Probe::Dead
    }

    fn has_buffered(&self) -> bool {
        let mut state = self.lock();
        // The unsent rest of a request would be sent before the next request.
        let unsent = state.failed.is_some() || !state.outgoing.is_empty();
        // Tickets do not count. The end of the stream does: the connection cannot be used again.
        unsent || !matches!(state.waiting(), Ok(false)) || state.ended
    }

    /// Sends close_notify. The stream below stays open, because the peer's records may need answers of TLS.
    fn close_write(&self, wait: &Wait<'_>) -> io::Result<()> {
        let mut state = self.lock();
        if !state.closing {
            state.closing = true;
            state.tls.close();
        }
        while self.send_all(state, wait)? != Flush::Done {
            in_time(wait)?;
            state = self.lock();
        }
        Ok(())
    }

    fn abort(&self) {
        self.wire.abort();
    }

    fn info(&self) -> TransportInfo {
        self.wire.info().tls(self.lock().tls.info())
    }
}

impl Drop for TlsStream {
    /// Sends close_notify if that needs no waiting (RFC 8446, section 6.1). Does not send it in a child of the process
    /// that connected: that would end the parent's connection.
    fn drop(&mut self) {
        if !self.home.is_here() {
            return;
        }
        let mut state = self.lock();
        // `sending` is still set if the transport below panicked.
        if state.ended || state.closing || state.sending || state.tls.is_handshaking() {
            return;
        }
        state.tls.close();
        let _ = self.send_out(state, &without_blocking());
    }
}

impl State {
    /// Moves plaintext to `buf`, and decrypts the backlog as far as `buf` has room. Returns `None` if there is no
    /// plaintext yet, and 0 after a close_notify. An error comes after all data before it.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        let mut filled = 0;
        loop {
            match self.tls.read(&mut buf[filled..]) {
                Ok(0) => return Ok(Some(filled)),
                Ok(len) => filled += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if filled == 0 => return Err(error),
                // The next read meets the error again.
                Err(_) => return Ok(Some(filled)),
            }
            if filled == buf.len() {
                return Ok(Some(filled));
            }
            match self.feed() {
                Ok(true) => {}
                Err(error) if filled == 0 => return Err(error),
                _ => return Ok((filled > 0).then_some(filled)),
            }
        }
    }

    /// Feeds the library once from the backlog. Returns false if nothing is left there. No plaintext waits: rustls
    /// refuses input while it holds much of it.
    fn feed(&mut self) -> io::Result<bool> {
        if let Some(failure) = &self.broken {
            return Err(invalid_data(failure.clone()));
        }
        if self.backlog.rest().is_empty() {
            return Ok(false);
        }
        match self.tls.feed(self.backlog.rest()) {
            // Bytes after a close_notify are ignored.
            Ok(Fed { closed: true, .. }) => {
                self.ended = true;
                self.backlog.clear();
            }
            Ok(Fed { taken, .. }) => self.backlog.consume(taken),
            Err(failure) => {
                self.broken = Some(failure.clone());
                self.backlog.clear();
                // Data before the broken record is valid.
                if !self.tls.has_plaintext() {
                    return Err(invalid_data(failure));
                }
            }
        }
        Ok(true)
    }

    /// Feeds the backlog until plaintext waits, and returns whether it does.
    fn refill(&mut self) -> io::Result<bool> {
        while !self.tls.has_plaintext() {
            if !self.feed()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns whether plaintext waits. Fails after a broken record, also if there is data before it.
    fn waiting(&mut self) -> io::Result<bool> {
        let waiting = self.refill()?;
        match &self.broken {
            Some(failure) => Err(invalid_data(failure.clone())),
            None => Ok(waiting),
        }
    }

    /// Returns whether the caller has to read before more can be sent: ciphertext waits, and plaintext or an error does
    /// too.
    fn keeps_from_sending(&mut self) -> bool {
        !self.outgoing.is_empty() && !matches!(self.waiting(), Ok(false))
    }

    /// Returns whether ciphertext waits to be sent, another thread is sending, or sending has failed.
    fn has_unsent(&self) -> bool {
        self.sending || self.failed.is_some() || !self.outgoing.is_empty() || self.tls.wants_write()
    }

    /// Appends what the library wants to send to the outgoing ciphertext.
    fn encrypt(&mut self) {
        if self.tls.wants_write() {
            self.tls.pull(&mut self.outgoing);
        }
    }
}

/// Returns a wait that has already ended: an operation takes or sends what it can at once.
fn without_blocking() -> Wait<'static> {
    let passed = Deadline::after(Instant::now(), Some(Duration::ZERO), Bound::Total);
    Wait { until: passed.into(), ..Wait::new() }
}

/// Fails if `wait` is cancelled or past. Loops call it that receive records without data for the caller: such records
/// may arrive without end, and the transport below does not look at the clock while there is input.
fn in_time(wait: &Wait<'_>) -> io::Result<()> {
    match wait.is_cancelled() {
        true => Err(io::ErrorKind::ConnectionAborted.into()),
        false if wait.until.is_past() => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(()),
    }
}

/// Returns whether the operation only took too long for its caller.
fn is_late(error: &io::Error, wait: &Wait<'_>) -> bool {
    error.kind() == io::ErrorKind::TimedOut || wait.until.is_fired()
}

/// Returns the error for a failure of TLS.
fn invalid_data(failure: TlsFailure) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, failure)
}

fn handshake_error(error: io::Error, wait: &Wait<'_>) -> Error {
    wait.failure(error, ErrorKind::Tls, Phase::Tls)
}
