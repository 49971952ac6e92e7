//! A rustls connection over any transport.
//!
//! rustls works on memory only, under a lock that is never held while bytes move. Ciphertext is received into a scratch
//! buffer of the thread, and outgoing ciphertext is moved out of the lock before it is sent. So one thread can be
//! blocked in `recv` while another one sends.
//!
//! Received bytes are the connection's backlog until rustls has taken it, in the same buffer. `recv` feeds rustls from
//! it and moves the plaintext of each record to the caller before the next record is fed.
//!
//! A `send` with a `Wait` that watches the input also receives. Only a thread that does both may use it: if two threads
//! received at once, the order of their ciphertext would be lost.

use std::io::{self, BufRead, IoSlice, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, InvalidMessage};

use super::backlog::{self, Backlog};
use crate::error::{Bound, Error, ErrorKind, Phase, Result, TlsFailure};
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
    state: Mutex<State>,
    /// Notified when `sending` ends.
    turn: Condvar,
    /// The process that opened the connection.
    home: Home,
}

#[derive(Debug)]
struct State {
    tls: ClientConnection,
    /// Received ciphertext that rustls has not taken yet.
    backlog: Backlog,
    /// Ciphertext to be sent, in order.
    outgoing: Vec<u8>,
    /// A thread is sending what it took from `outgoing`. It also sends what is added meanwhile.
    sending: bool,
    /// Bytes of ciphertext that the transport below has accepted.
    sent: u64,
    /// The error of a `send` after rustls had taken its plaintext. That plaintext counts as not accepted, so no bytes
    /// may follow it: every later send fails with this error.
    failed: Option<io::ErrorKind>,
    /// A send met a reset and did not report it, because part of the data had been sent. The next receive reports it:
    /// systems report a reset once, and an orderly end after that.
    reset: bool,
    /// The peer has ended its direction, by close_notify or by closing the stream.
    ended: bool,
    /// rustls has refused a record. It returns the same error from then on.
    broken: bool,
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
        config: Arc<ClientConfig>,
        wire: Box<dyn Transport>,
        origin: &Origin,
        wait: &Wait<'_>,
    ) -> Result<TlsStream> {
        let failure = |error: io::Error| handshake_error(error, wait);
        let name = server_name(origin)
            .map_err(|error| failure(io::Error::new(io::ErrorKind::InvalidInput, TlsFailure::new(&error, true))))?;
        let tls = ClientConnection::new(config, name).map_err(|error| failure(invalid_data(error)))?;
        let state = State {
            tls,
            backlog: Backlog::default(),
            outgoing: Vec::new(),
            sending: false,
            sent: 0,
            failed: None,
            reset: false,
            ended: false,
            broken: false,
        };
        let home = wait.abort.map_or_else(Home::here, AbortCell::home);
        let stream = TlsStream { wire, state: Mutex::new(state), turn: Condvar::new(), home };
        stream.handshake(wait).map_err(failure)?;
        Ok(stream)
    }

    fn handshake(&self, wait: &Wait<'_>) -> io::Result<()> {
        loop {
            self.send_all(self.state.lock(), wait)?;
            if !self.state.lock().tls.is_handshaking() {
                return Ok(());
            }
            in_time(wait)?;
            // Each round takes in at least a byte or ends: nothing here can spin (RUSTSEC-2024-0336).
            if let Err(error) = self.receive(wait).and_then(|mut state| state.refill()) {
                // Send the alert that tells the peer the reason, if there is room for it.
                let _ = self.send_all(self.state.lock(), &without_blocking());
                return Err(error);
            }
            let state = self.state.lock();
            if state.ended && state.tls.is_handshaking() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer ended the handshake"));
            }
        }
    }

    /// Receives ciphertext once, into the backlog. Sets `ended` at the end of the stream.
    fn receive(&self, wait: &Wait<'_>) -> io::Result<MutexGuard<'_, State>> {
        let mut scratch = backlog::take_scratch();
        let received = self.wire.recv(&mut scratch, wait);
        let mut state = self.state.lock();
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
        // After an end without close_notify, rustls returns an error for the next read.
        state.ended = true;
        if state.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        state.tls.read_tls(&mut io::empty())?;
        Ok(state)
    }

    /// Sends all ciphertext, after the thread that is sending now.
    fn send_all<'a>(&'a self, mut state: MutexGuard<'a, State>, wait: &Wait<'_>) -> io::Result<Flush> {
        while state.sending {
            // Do not check for an abort here: it wakes the thread that is sending.
            match wait.until.at() {
                None => self.turn.wait(&mut state),
                Some(at) if !wait_until(&self.turn, &mut state, at) => {}
                Some(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        self.send_out(state, wait)
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
            state = self.state.lock();
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
            self.turn.notify_one();
        }
        result
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
            state = self.state.lock();
        }
    }
}

impl Transport for TlsStream {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut state = self.state.lock();
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
                let _ = self.send_out(state, &Wait { watch_input: true, ..*wait });
            }
            state = self.receive(wait)?;
            received = true;
        }
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        let mut state = self.state.lock();
        if state.has_unsent() {
            drop(state);
            if !self.flush(wait)? {
                return Ok(0);
            }
            state = self.state.lock();
        }
        let accepted = state.tls.writer().write_vectored(bufs)?;
        state.encrypt();
        let before = state.sent;
        self.push(state, wait).map(|_| accepted).or_else(|error| {
            let mut state = self.state.lock();
            if state.sent > before {
                // Part of the data was sent, so it counts as accepted. `flush` sends the rest, and meets the error
                // again.
                state.reset |= error.kind() == io::ErrorKind::ConnectionReset;
                return Ok(accepted);
            }
            state.failed = Some(error.kind());
            Err(error)
        })
    }

    fn flush(&self, wait: &Wait<'_>) -> io::Result<bool> {
        let state = self.state.lock();
        if !state.has_unsent() {
            return Ok(true);
        }
        let before = state.sent;
        match self.push(state, wait) {
            Ok(flush) => Ok(flush == Flush::Done),
            Err(error) if error.kind() == io::ErrorKind::TimedOut && self.state.lock().sent > before => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn probe(&self) -> Probe {
        for _ in 0..PROBE_STEPS {
            {
                let mut state = self.state.lock();
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
        let mut state = self.state.lock();
        // The unsent rest of a request would be sent before the next request.
        let unsent = state.failed.is_some() || !state.outgoing.is_empty();
        // Tickets do not count. The end of the stream does: the connection cannot be used again.
        unsent || !matches!(state.waiting(), Ok(false)) || state.ended
    }

    fn abort(&self) {
        self.wire.abort();
    }

    fn info(&self) -> TransportInfo {
        TransportInfo { encrypted: true, ..self.wire.info() }
    }
}

impl Drop for TlsStream {
    /// Sends close_notify if that needs no waiting (RFC 8446, section 6.1). Does not send it in a child of the process
    /// that connected: that would end the parent's connection.
    fn drop(&mut self) {
        if !self.home.is_here() {
            return;
        }
        let mut state = self.state.lock();
        // `sending` is still set if the transport below panicked.
        if state.ended || state.sending || state.tls.is_handshaking() {
            return;
        }
        state.tls.send_close_notify();
        let _ = self.send_out(state, &without_blocking());
    }
}

impl State {
    /// Moves plaintext to `buf`, and decrypts the backlog as far as `buf` has room. Returns `None` if there is no
    /// plaintext yet, and 0 after a close_notify. An error comes after all data before it.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        let mut filled = 0;
        loop {
            match self.tls.reader().read(&mut buf[filled..]) {
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

    /// Feeds rustls once from the backlog. Returns false if nothing is left there. No plaintext waits: rustls refuses
    /// input while it holds much of it.
    fn feed(&mut self) -> io::Result<bool> {
        if self.broken {
            return Err(self.fault());
        }
        let mut rest = self.backlog.rest();
        if rest.is_empty() {
            return Ok(false);
        }
        let fed = self.tls.read_tls(&mut rest)?;
        self.backlog.consume(fed);
        match self.tls.process_new_packets() {
            // Bytes after a close_notify are ignored.
            Ok(state) if fed == 0 || state.peer_has_closed() => {
                self.ended = true;
                self.backlog.clear();
            }
            Ok(_) => {}
            Err(_) => {
                self.broken = true;
                self.backlog.clear();
                // Data before the broken record is valid.
                if !self.has_plaintext() {
                    return Err(self.fault());
                }
            }
        }
        Ok(true)
    }

    /// Feeds the backlog until plaintext waits, and returns whether it does.
    fn refill(&mut self) -> io::Result<bool> {
        while !self.has_plaintext() {
            if !self.feed()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns whether plaintext waits. Fails after a broken record, also if there is data before it.
    fn waiting(&mut self) -> io::Result<bool> {
        let waiting = self.refill()?;
        if self.broken { Err(self.fault()) } else { Ok(waiting) }
    }

    /// Returns the error for the record that rustls has refused.
    fn fault(&mut self) -> io::Error {
        match self.tls.process_new_packets() {
            Err(error) if self.tls.is_handshaking() => handshake_data(error),
            Err(error) => invalid_data(error),
            Ok(_) => io::ErrorKind::InvalidData.into(),
        }
    }

    /// Returns whether decrypted bytes wait to be read, also before the error of a broken record.
    fn has_plaintext(&mut self) -> bool {
        self.tls.reader().fill_buf().is_ok_and(|plaintext| !plaintext.is_empty())
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

    /// Appends what rustls wants to send to the outgoing ciphertext.
    fn encrypt(&mut self) {
        while self.tls.wants_write() {
            // A write to memory neither fails nor blocks.
            if !matches!(self.tls.write_tls(&mut self.outgoing), Ok(1..)) {
                return;
            }
        }
    }
}

/// Returns a wait that has already ended: an operation takes or sends what it can at once.
fn without_blocking() -> Wait<'static> {
    let passed = Deadline::after(Instant::now(), Some(Duration::ZERO), Bound::Total);
    Wait { until: passed.into(), abort: None, watch_input: false, poll_first: false, has_time: false }
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

/// Returns the name to verify. An IP address is verified as an address and not sent as a name (RFC 6066, section 3).
/// The final dot of an absolute name is removed, as that section requires.
fn server_name(origin: &Origin) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    match origin.address() {
        Some(IpAddr::V4(address)) => Ok(ServerName::IpAddress(address.into())),
        Some(IpAddr::V6(address)) => Ok(ServerName::IpAddress(address.into())),
        None => ServerName::try_from(origin.host().trim_end_matches('.').to_owned()),
    }
}

/// Returns the error for a record that rustls refuses.
fn invalid_data(error: rustls::Error) -> io::Error {
    let lasts = lasts(&error);
    io::Error::new(io::ErrorKind::InvalidData, TlsFailure::new(&error, lasts))
}

/// Returns the same error for a record of the handshake. There a record of unknown type means that the peer does not
/// speak TLS.
fn handshake_data(error: rustls::Error) -> io::Error {
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            let why = "the peer does not speak TLS; is the URL http rather than https?";
            io::Error::new(io::ErrorKind::InvalidData, TlsFailure::new(&why, true))
        }
        error => invalid_data(error),
    }
}

/// Returns whether another attempt would fail in the same way. Damaged bytes and an alert about the peer's own troubles
/// may be over. A certificate, a refusal and a missing common version or cipher stay as they are.
fn lasts(error: &rustls::Error) -> bool {
    use rustls::AlertDescription::{
        BadRecordMac, CloseNotify, DecodeError, DecryptError, InternalError, RecordOverflow, UnexpectedMessage,
        UserCanceled,
    };
    match error {
        rustls::Error::AlertReceived(alert) => !matches!(
            alert,
            BadRecordMac
                | CloseNotify
                | DecodeError
                | DecryptError
                | InternalError
                | RecordOverflow
                | UnexpectedMessage
                | UserCanceled
        ),
        rustls::Error::InvalidCertificate(_)
        | rustls::Error::NoCertificatesPresented
        | rustls::Error::UnsupportedNameType
        | rustls::Error::InvalidCertRevocationList(_)
        | rustls::Error::PeerIncompatible(_)
        | rustls::Error::NoApplicationProtocol => true,
        _ => false,
    }
}

fn handshake_error(error: io::Error, wait: &Wait<'_>) -> Error {
    wait.failure(error, ErrorKind::Tls, Phase::Tls)
}
