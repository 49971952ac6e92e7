//! A rustls connection over any transport.
//!
//! rustls works on memory alone, under a lock that is never held while bytes move: ciphertext is received into a
//! scratch buffer of the thread, and what is to be sent is taken out of the lock first. So one thread can be blocked in
//! `recv` while another sends.

use std::cell::Cell;
use std::io::{self, IoSlice, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, InvalidMessage};

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::transport::{Probe, Transport, TransportInfo, Wait};
use crate::sync::Mutex;
use crate::time::Deadline;
use crate::url::Origin;

/// Two records of the largest size: fewer calls for large bodies, and still in the cache.
const SCRATCH: usize = 36 * 1024;

/// Outgoing ciphertext kept allocated between sends: a request's head, not its body.
const KEPT: usize = 4 * 1024;

/// Tickets, key updates and the like in a row that a probe puts up with.
const PROBE_STEPS: usize = 8;

thread_local! {
    /// Where ciphertext is received, so that no connection has to own a buffer of a record's size.
    static RECEIVED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[derive(Debug)]
pub(crate) struct TlsStream {
    wire: Box<dyn Transport>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tls: ClientConnection,
    /// Ciphertext that was received but that rustls has no room for yet.
    backlog: Vec<u8>,
    /// Ciphertext to be sent, in order.
    outgoing: Vec<u8>,
    /// A thread is sending what it took from `outgoing`; it comes back for what is added meanwhile.
    sending: bool,
    /// The plaintext of these bytes was accepted, but they did not get out: every further call answers this.
    failed: Option<io::ErrorKind>,
    /// The failure came after some of what was to be sent had been accepted.
    failed_midway: bool,
    ended: bool,
}

/// How sending came to an end.
#[derive(PartialEq)]
enum Flush {
    Done,
    /// Input arrived while there was no room.
    Input,
}

impl TlsStream {
    pub(crate) fn connect(
        config: Arc<ClientConfig>,
        wire: Box<dyn Transport>,
        origin: &Origin,
        wait: &Wait<'_>,
    ) -> Result<TlsStream> {
        let failure = |error: io::Error| handshake_error(error, wait);
        let name = server_name(origin).map_err(|error| failure(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let tls = ClientConnection::new(config, name).map_err(|error| failure(invalid_data(error)))?;
        let state = State {
            tls,
            backlog: Vec::new(),
            outgoing: Vec::new(),
            sending: false,
            failed: None,
            failed_midway: false,
            ended: false,
        };
        let stream = TlsStream { wire, state: Mutex::new(state) };
        stream.handshake(wait).map_err(failure)?;
        Ok(stream)
    }

    fn handshake(&self, wait: &Wait<'_>) -> io::Result<()> {
        loop {
            self.encrypt();
            self.flush(wait)?;
            if !self.state.lock().tls.is_handshaking() {
                return Ok(());
            }
            // Each round takes in at least a byte or ends: nothing here can spin (RUSTSEC-2024-0336).
            if let Err(error) = self.receive(wait) {
                // The alert that tells the peer why, if there is room for it.
                self.encrypt();
                let _ = self.flush(&without_blocking());
                return Err(error);
            }
            let state = self.state.lock();
            if state.ended && state.tls.is_handshaking() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer ended the handshake"));
            }
        }
    }

    /// Receives ciphertext once and feeds it to rustls. `ended` is set at the end of the stream.
    fn receive(&self, wait: &Wait<'_>) -> io::Result<()> {
        let mut scratch = RECEIVED.take();
        scratch.resize(SCRATCH, 0);
        let result = self.wire.recv(&mut scratch, wait).and_then(|len| {
            let mut state = self.state.lock();
            if len == 0 {
                // rustls turns the end without a close_notify into an error when it is read.
                state.ended = true;
                state.tls.read_tls(&mut io::empty())?;
                return Ok(());
            }
            let fed = state.feed(&scratch[..len])?;
            state.backlog.extend_from_slice(&scratch[fed..len]);
            Ok(())
        });
        RECEIVED.set(scratch);
        result
    }

    /// Moves what rustls wants to send behind what is there already.
    fn encrypt(&self) {
        self.state.lock().encrypt();
    }

    /// Sends all ciphertext there is, and remembers a failure for those who come later.
    fn flush(&self, wait: &Wait<'_>) -> io::Result<Flush> {
        let mut state = self.state.lock();
        if let Some(kind) = state.failed {
            return Err(kind.into());
        }
        if state.sending || state.outgoing.is_empty() {
            return Ok(Flush::Done);
        }
        state.sending = true;
        let mut moved = false;
        loop {
            let mut taken = std::mem::take(&mut state.outgoing);
            drop(state);
            let mut sent = 0;
            let result = loop {
                if sent == taken.len() {
                    break Ok(Flush::Done);
                }
                match self.wire.send(&[IoSlice::new(&taken[sent..])], wait) {
                    Ok(0) => break Ok(Flush::Input),
                    Ok(len) => sent += len,
                    Err(error) => break Err(error),
                }
            };
            moved |= sent > 0;
            state = self.state.lock();
            taken.drain(..sent);
            if taken.is_empty() && taken.capacity() > KEPT {
                taken = Vec::new();
            }
            taken.append(&mut state.outgoing);
            state.outgoing = taken;
            match result {
                Ok(Flush::Done) if !state.outgoing.is_empty() => continue,
                Ok(flush) => {
                    state.sending = false;
                    return Ok(flush);
                }
                Err(error) => {
                    state.sending = false;
                    // Half a record may be out: nothing can follow it.
                    state.failed = Some(error.kind());
                    state.failed_midway = moved;
                    return Err(error);
                }
            }
        }
    }

    /// Sends what there is; where `wait` watches the input, that is taken in meanwhile, and `Input` says that there is
    /// something for the caller in it.
    fn push(&self, wait: &Wait<'_>) -> io::Result<Flush> {
        loop {
            if self.flush(wait)? == Flush::Done {
                return Ok(Flush::Done);
            }
            if self.probe() != Probe::Quiet {
                return Ok(Flush::Input);
            }
        }
    }
}

impl Transport for TlsStream {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let mut state = self.state.lock();
            match state.tls.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            if state.refill()? {
                continue;
            }
            drop(state);
            self.receive(wait)?;
            // An answer to a key update, say.
            self.encrypt();
            self.flush(wait)?;
        }
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        if self.push(wait)? == Flush::Input {
            return Ok(0);
        }
        let accepted = {
            let mut state = self.state.lock();
            let accepted = state.tls.writer().write_vectored(bufs)?;
            state.encrypt();
            accepted
        };
        match self.push(wait) {
            Ok(_) => Ok(accepted),
            // Part of it may be on its way: that is "accepted". What failed shows at the next call.
            Err(_) if self.state.lock().failed_midway => Ok(accepted),
            Err(error) => Err(error),
        }
    }

    fn probe(&self) -> Probe {
        for _ in 0..PROBE_STEPS {
            {
                let mut state = self.state.lock();
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
            self.encrypt();
        }
        Probe::Dead
    }

    fn has_buffered(&self) -> bool {
        let mut state = self.state.lock();
        !state.backlog.is_empty() || state.plaintext() != Ok(0)
    }

    fn abort(&self) {
        self.wire.abort();
    }

    fn info(&self) -> TransportInfo {
        TransportInfo { encrypted: true, ..self.wire.info() }
    }
}

impl Drop for TlsStream {
    /// Says goodbye where that costs no waiting (RFC 8446, section 6.1).
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if state.ended || state.failed.is_some() || state.tls.is_handshaking() {
            return;
        }
        state.tls.send_close_notify();
        state.encrypt();
        drop(state);
        let _ = self.flush(&without_blocking());
    }
}

impl State {
    /// Feeds ciphertext until rustls has no more room, and says how much it took.
    fn feed(&mut self, input: &[u8]) -> io::Result<usize> {
        let mut rest = input;
        while !rest.is_empty() {
            // Refused while more plaintext waits than rustls wants to hold.
            if !self.tls.wants_read() && self.plaintext().is_ok_and(|waiting| waiting > 0) {
                break;
            }
            match self.tls.read_tls(&mut rest) {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) if self.plaintext().is_ok_and(|waiting| waiting > 0) => break,
                Err(error) => return Err(error),
            }
            let io_state = self.tls.process_new_packets().map_err(invalid_data)?;
            if io_state.peer_has_closed() {
                self.ended = true;
                return Ok(input.len());
            }
        }
        Ok(input.len() - rest.len())
    }

    /// Feeds what was left over; true if that may have given plaintext.
    fn refill(&mut self) -> io::Result<bool> {
        if self.backlog.is_empty() {
            return Ok(false);
        }
        let mut backlog = std::mem::take(&mut self.backlog);
        let fed = self.feed(&backlog)?;
        backlog.drain(..fed);
        // The memory goes with the last of it: an idle connection owns none.
        self.backlog = if backlog.is_empty() { Vec::new() } else { backlog };
        Ok(fed > 0)
    }

    /// Decrypted bytes that wait to be read.
    fn plaintext(&mut self) -> Result<usize, io::ErrorKind> {
        match self.tls.process_new_packets() {
            Ok(state) => Ok(state.plaintext_bytes_to_read()),
            Err(_) => Err(io::ErrorKind::InvalidData),
        }
    }

    fn encrypt(&mut self) {
        while self.tls.wants_write() {
            // Writing to memory neither fails nor blocks.
            if !matches!(self.tls.write_tls(&mut self.outgoing), Ok(1..)) {
                return;
            }
        }
    }
}

/// A wait that has ended: whatever is there is taken, and nothing is waited for.
fn without_blocking() -> Wait<'static> {
    Wait { deadline: Deadline::now(), abort: None, watch_input: false }
}

/// An address is verified as one, and not sent as a name (RFC 6066, section 3); the dot of an absolute name is no part
/// of it there.
fn server_name(origin: &Origin) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    match origin.address() {
        Some(IpAddr::V4(address)) => Ok(ServerName::IpAddress(address.into())),
        Some(IpAddr::V6(address)) => Ok(ServerName::IpAddress(address.into())),
        None => ServerName::try_from(origin.host().trim_end_matches('.').to_owned()),
    }
}

fn invalid_data(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn handshake_error(error: io::Error, wait: &Wait<'_>) -> Error {
    if error.kind() == io::ErrorKind::TimedOut {
        return Error::new(ErrorKind::Timeout(wait.deadline.bound()), Phase::Tls).with_source(error);
    }
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let plain = matches!(tls, Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)));
    let error = match plain {
        true => io::Error::new(error.kind(), "the peer does not speak TLS; is the URL http rather than https?"),
        false => error,
    };
    Error::new(ErrorKind::Tls, Phase::Tls).with_source(error)
}
