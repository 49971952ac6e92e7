//! A rustls connection over any transport.
//!
//! rustls works on memory only, under a lock that is never held while bytes move. Ciphertext is received into a scratch
//! buffer of the thread, and outgoing ciphertext is moved out of the lock before it is sent. So one thread can be
//! blocked in `recv` while another one sends.
//!
//! A `send` with a `Wait` that watches the input also receives. Only a thread that does both may use it: if two threads
//! received at once, the order of their ciphertext would be lost.

use std::cell::Cell;
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, InvalidMessage};

use crate::error::{Bound, Error, ErrorKind, Phase, Result, TlsFailure};
use crate::net::abort::AbortCell;
use crate::net::transport::{Probe, Transport, TransportInfo, Wait};
use crate::process::Home;
use crate::sync::{Condvar, Mutex, MutexGuard, wait_until};
use crate::time::Deadline;
use crate::url::Origin;

/// The size of the scratch buffer: two records of the largest size. So large bodies take fewer calls, and the buffer
/// still fits into the cache.
const SCRATCH: usize = 36 * 1024;

/// The largest buffer for outgoing ciphertext that is kept between sends. It holds a request's head.
const KEPT: usize = 4 * 1024;

/// The most receives in one probe. It allows for tickets, key updates and the like in a row.
const PROBE_STEPS: usize = 8;

thread_local! {
    /// The scratch buffer for received ciphertext. It belongs to the thread, so that no connection owns a buffer of a
    /// record's size.
    static RECEIVED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

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
    /// Received ciphertext that rustls has no room for yet.
    backlog: Vec<u8>,
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
            backlog: Vec::new(),
            outgoing: Vec::new(),
            sending: false,
            sent: 0,
            failed: None,
            reset: false,
            ended: false,
        };
        let home = wait.abort.map_or_else(Home::here, AbortCell::home);
        let stream = TlsStream { wire, state: Mutex::new(state), turn: Condvar::new(), home };
        stream.handshake(wait).map_err(failure)?;
        Ok(stream)
    }

    fn handshake(&self, wait: &Wait<'_>) -> io::Result<()> {
        loop {
            self.send_all(wait)?;
            if !self.state.lock().tls.is_handshaking() {
                return Ok(());
            }
            in_time(wait)?;
            // Each round takes in at least a byte or ends: nothing here can spin (RUSTSEC-2024-0336).
            if let Err(error) = self.receive(wait) {
                // Send the alert that tells the peer the reason, if there is room for it.
                let _ = self.send_all(&without_blocking());
                return Err(error);
            }
            let state = self.state.lock();
            if state.ended && state.tls.is_handshaking() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer ended the handshake"));
            }
        }
    }

    /// Receives ciphertext once and feeds it to rustls. Sets `ended` at the end of the stream.
    fn receive(&self, wait: &Wait<'_>) -> io::Result<()> {
        // The scratch buffer may be gone: another destructor of the thread may drop a response after it.
        let mut scratch = RECEIVED.try_with(Cell::take).unwrap_or_default();
        scratch.resize(SCRATCH, 0);
        let result = self.wire.recv(&mut scratch, wait).and_then(|len| {
            let mut state = self.state.lock();
            if len == 0 {
                // After an end without close_notify, rustls returns an error for the next read.
                state.ended = true;
                if state.reset {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                state.tls.read_tls(&mut io::empty())?;
                return Ok(());
            }
            let fed = state.feed(&scratch[..len])?;
            state.backlog.extend_from_slice(&scratch[fed..len]);
            Ok(())
        });
        let _ = RECEIVED.try_with(|received| received.set(scratch));
        result
    }

    /// Sends all ciphertext, after the thread that is sending now.
    fn send_all(&self, wait: &Wait<'_>) -> io::Result<Flush> {
        let mut state = self.state.lock();
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
            taken.drain(..sent);
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
    fn push(&self, wait: &Wait<'_>) -> io::Result<Flush> {
        loop {
            // Input that was received before wakes no wait on the transport below.
            if wait.watch_input && self.state.lock().keeps_from_sending() {
                return Ok(Flush::Input);
            }
            if self.send_all(wait)? == Flush::Done {
                return Ok(Flush::Done);
            }
            if self.probe() != Probe::Quiet {
                return Ok(Flush::Input);
            }
            in_time(wait)?;
        }
    }
}

impl Transport for TlsStream {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut received = false;
        loop {
            let mut state = self.state.lock();
            match state.tls.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            // Return the error of a broken record after all data before it has been read.
            state.tls.process_new_packets().map_err(invalid_data)?;
            if state.refill()? {
                continue;
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
            self.receive(wait)?;
            received = true;
        }
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        if !self.flush(wait)? {
            return Ok(0);
        }
        let (accepted, before) = {
            let mut state = self.state.lock();
            let accepted = state.tls.writer().write_vectored(bufs)?;
            state.encrypt();
            (accepted, state.sent)
        };
        self.push(wait).map(|_| accepted).or_else(|error| {
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
        let before = self.state.lock().sent;
        match self.push(wait) {
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
                match state.plaintext() {
                    Ok(0) => {}
                    Ok(_) => return Probe::Readable,
                    Err(_) => return Probe::Dead,
                }
                match state.refill() {
                    Ok(true) => continue,
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
        unsent || state.refill().is_err() || state.ended || !state.backlog.is_empty() || state.plaintext() != Ok(0)
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
    /// Feeds ciphertext until rustls has no more room, and returns how much it took.
    fn feed(&mut self, input: &[u8]) -> io::Result<usize> {
        let mut rest = input;
        while !rest.is_empty() {
            // rustls refuses input while it holds more plaintext than it wants to.
            if !self.tls.wants_read() && self.plaintext().is_ok_and(|waiting| waiting > 0) {
                break;
            }
            match self.tls.read_tls(&mut rest) {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) if self.plaintext().is_ok_and(|waiting| waiting > 0) => break,
                Err(error) => return Err(error),
            }
            let io_state = match self.tls.process_new_packets() {
                Ok(io_state) => io_state,
                // Data before the broken record is valid. rustls keeps the error, and returns it after that data.
                Err(_) if self.has_plaintext() => return Ok(input.len()),
                Err(error) if self.tls.is_handshaking() => return Err(handshake_data(error)),
                Err(error) => return Err(invalid_data(error)),
            };
            if io_state.peer_has_closed() {
                self.ended = true;
                return Ok(input.len());
            }
        }
        Ok(input.len() - rest.len())
    }

    /// Feeds the backlog. Returns true if that may have produced plaintext.
    fn refill(&mut self) -> io::Result<bool> {
        if self.backlog.is_empty() {
            return Ok(false);
        }
        let mut backlog = std::mem::take(&mut self.backlog);
        let fed = self.feed(&backlog)?;
        backlog.drain(..fed);
        // Free the memory with the last byte: an idle connection owns no buffer.
        self.backlog = if backlog.is_empty() { Vec::new() } else { backlog };
        Ok(fed > 0)
    }

    /// Returns the number of decrypted bytes that wait to be read.
    fn plaintext(&mut self) -> Result<usize, io::ErrorKind> {
        match self.tls.process_new_packets() {
            Ok(state) => Ok(state.plaintext_bytes_to_read()),
            Err(_) => Err(io::ErrorKind::InvalidData),
        }
    }

    /// Returns whether the caller has to read before more can be sent: ciphertext waits, and plaintext or an error does
    /// too.
    fn keeps_from_sending(&mut self) -> bool {
        !self.outgoing.is_empty() && self.plaintext() != Ok(0)
    }

    /// Returns whether decrypted bytes wait to be read, also before the error of a broken record.
    fn has_plaintext(&mut self) -> bool {
        self.tls.reader().fill_buf().is_ok_and(|plaintext| !plaintext.is_empty())
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
    Wait { until: passed.into(), abort: None, watch_input: false, poll_first: false }
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
