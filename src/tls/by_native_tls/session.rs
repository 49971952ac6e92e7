//! One connection by native-tls, over two byte queues.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use native_tls::{HandshakeError, MidHandshakeTlsStream, TlsConnector, TlsStream};

use super::explain::{self, Situation};
use super::pipe::Pipe;
use super::records::{Messages, Records};
use super::rules::Rules;
use crate::error::{TlsFailure, TlsFault};
use crate::net::tls_info::{TlsInfo, TlsVersion};
use crate::tls::alerts;
use crate::tls::session::{Fed, Session};

/// The most plaintext of a record (RFC 8446, section 5.1).
const RECORD: usize = 16 * 1024;

/// The most plaintext that one write encrypts.
const WRITE: usize = 4 * RECORD;

/// The types of records.
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

/// The client's end of one connection.
pub(super) struct NativeSession {
    stage: Stage,
    pipe: Pipe,
    rules: Arc<Rules>,
    records: Records,
    messages: Messages,
    /// The server's certificate, once it is accepted.
    leaf: Vec<u8>,
    /// Plaintext, and how much of it was read.
    plaintext: Vec<u8>,
    read: usize,
    failure: Option<TlsFailure>,
    /// The server has sent plaintext.
    answered: bool,
    /// The peer has ended its direction by close_notify.
    closed: bool,
    /// The transport has ended.
    ended: bool,
    /// We have encrypted a close_notify.
    closing: bool,
}

enum Stage {
    Handshake(MidHandshakeTlsStream<Pipe>),
    Open(TlsStream<Pipe>),
    Failed,
}

impl NativeSession {
    /// Begins a connection to a server of this name.
    pub(super) fn begin(connector: &TlsConnector, name: &str, rules: Arc<Rules>) -> Result<NativeSession, TlsFailure> {
        let pipe = Pipe::default();
        let begun = connector.connect(name, pipe.clone());
        let mut session = NativeSession {
            stage: Stage::Failed,
            pipe,
            rules,
            records: Records::default(),
            messages: Messages::default(),
            leaf: Vec::new(),
            plaintext: Vec::new(),
            read: 0,
            failure: None,
            answered: false,
            closed: false,
            ended: false,
            closing: false,
        };
        session.go_on(begun)?;
        Ok(session)
    }

    /// Takes the outcome of a step of the handshake.
    fn go_on(&mut self, step: Result<TlsStream<Pipe>, HandshakeError<Pipe>>) -> Result<(), TlsFailure> {
        match step {
            Ok(stream) => {
                self.leaf = self.check_peer(&stream)?;
                self.stage = Stage::Open(stream);
                Ok(())
            }
            Err(HandshakeError::WouldBlock(stream)) => {
                self.stage = Stage::Handshake(stream);
                Ok(())
            }
            Err(HandshakeError::Failure(error)) => Err(self.failure_of(&error)),
        }
    }

    /// Checks what the library does not, and returns the server's certificate. Our last message stays here if it is
    /// refused: then the server of TLS 1.3 never completes the handshake.
    fn check_peer(&self, stream: &TlsStream<Pipe>) -> Result<Vec<u8>, TlsFailure> {
        let leaf = stream.peer_certificate().ok().flatten().and_then(|certificate| certificate.to_der().ok());
        // A server without a certificate has been refused by the library.
        let leaf = leaf.unwrap_or_default();
        self.rules.check(&leaf).inspect_err(|_| self.pipe.drop_output())?;
        Ok(leaf)
    }

    /// Decrypts what is in the queue.
    fn decrypt(&mut self, record: &Record) -> Result<(), TlsFailure> {
        let Stage::Open(stream) = &mut self.stage else { return Ok(()) };
        loop {
            let before = self.plaintext.len();
            // The ciphertext of a record is longer than its plaintext.
            self.plaintext.resize(before + record.len.clamp(64, RECORD), 0);
            let decrypted = stream.read(&mut self.plaintext[before..]);
            self.plaintext.truncate(before + *decrypted.as_ref().unwrap_or(&0));
            match decrypted {
                Ok(0) => {
                    self.closed = true;
                    break;
                }
                Ok(_) => self.answered = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(self.failure_of(&error)),
            }
        }
        // In TLS 1.2 such a record is of another handshake, in which the server may have shown another certificate.
        let again = record.ends && record.typ == HANDSHAKE && !self.leaf.is_empty();
        if let (true, Stage::Open(stream)) = (again, &self.stage)
            && self.check_peer(stream)? != self.leaf
        {
            let text = "the server showed another certificate in the middle of the connection";
            return Err(explain::refused(TlsFault::InvalidCertificate, text, &self.leaf));
        }
        Ok(())
    }

    fn failure_of(&self, error: &impl fmt::Display) -> TlsFailure {
        let about = Situation { has_client: self.rules.has_client, asked: self.messages.asks };
        let failure = explain::failure(error, about);
        // After the handshake and before the first response, such an alert is the server's answer to our last messages
        // of the handshake: in TLS 1.3 the client may send before it is accepted (RFC 8446, section 4.4.2.4).
        let is_late = matches!(self.stage, Stage::Open(_)) && !self.answered && self.is_tls13();
        let of_the_client = [TlsFault::ClientCertificateRequired, TlsFault::ClientCertificateRefused];
        if is_late && of_the_client.contains(&failure.fault()) { failure.unprocessed() } else { failure }
    }

    fn is_tls13(&self) -> bool {
        self.messages.version == Some(TlsVersion::V1_3)
    }

    /// Gives the next piece of ciphertext to the library.
    fn take(&mut self, input: &[u8]) -> Result<usize, TlsFailure> {
        let piece = self.records.next(input);
        let record = Record { typ: piece.typ, len: piece.body.end, ends: piece.ends };
        let is_handshake = self.is_handshaking();
        if is_handshake {
            // The first byte is the type of the first record.
            if self.messages.version.is_none() && !(CHANGE_CIPHER_SPEC..=DATA).contains(&piece.typ) {
                return Err(alerts::not_tls(input));
            }
            self.messages.note(piece.typ, &input[piece.body]);
        }
        self.pipe.give(&input[..piece.len]);
        if let Stage::Handshake(_) = self.stage
            && let Stage::Handshake(stream) = std::mem::replace(&mut self.stage, Stage::Failed)
        {
            self.go_on(stream.handshake())?;
        }
        self.decrypt(&record)?;
        Ok(piece.len)
    }
}

/// The record that a piece is of.
struct Record {
    typ: u8,
    /// The bytes of its body so far, or fewer.
    len: usize,
    ends: bool,
}

impl Session for NativeSession {
    /// Takes one record at most. So an error is met after all plaintext before it, and nothing after a close_notify is
    /// looked at.
    fn feed(&mut self, input: &[u8]) -> Result<Fed, TlsFailure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.closed || input.is_empty() {
            return Ok(Fed { taken: 0, closed: self.closed });
        }
        let taken = self.take(input).inspect_err(|failure| self.failure = Some(failure.clone()))?;
        Ok(Fed { taken, closed: self.closed })
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.plaintext[self.read..];
        if rest.is_empty() {
            return match (self.closed, self.ended) {
                (true, _) => Ok(0),
                (false, true) => Err(io::ErrorKind::UnexpectedEof.into()),
                (false, false) => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.read += len;
        if self.read == self.plaintext.len() {
            // An idle connection owns no buffer.
            (self.plaintext, self.read) = (Vec::new(), 0);
        }
        Ok(len)
    }

    fn has_plaintext(&mut self) -> bool {
        self.read < self.plaintext.len()
    }

    fn write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let Stage::Open(stream) = &mut self.stage else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut bufs = bufs.iter().filter(|buf| !buf.is_empty()).peekable();
        let Some(first) = bufs.next() else { return Ok(0) };
        // Small buffers make one record: a head and the beginning of its body.
        let mut joined = Vec::new();
        let plaintext = match bufs.peek() {
            Some(_) if first.len() < RECORD => {
                joined.extend_from_slice(first);
                for buf in bufs {
                    joined.extend_from_slice(&buf[..buf.len().min(RECORD - joined.len())]);
                }
                &joined[..]
            }
            _ => &first[..first.len().min(WRITE)],
        };
        let mut written = 0;
        while written < plaintext.len() {
            match stream.write(&plaintext[written..]) {
                Ok(0) => break,
                Ok(len) => written += len,
                Err(_) if written > 0 => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(error) => {
                    let failure = self.failure_of(&error);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, failure));
                }
            }
        }
        Ok(written)
    }

    fn wants_write(&self) -> bool {
        self.pipe.has_output()
    }

    fn pull(&mut self, outgoing: &mut Vec<u8>) {
        self.pipe.take_output(outgoing);
    }

    fn close(&mut self) {
        if let (Stage::Open(stream), false) = (&mut self.stage, std::mem::replace(&mut self.closing, true)) {
            // It writes to the queue, which does not fail. A connection that has failed has nothing to say.
            let _ = stream.shutdown();
        }
    }

    fn is_handshaking(&self) -> bool {
        !matches!(self.stage, Stage::Open(_))
    }

    fn explain_end(&self) -> Option<TlsFailure> {
        None
    }

    fn info(&self) -> TlsInfo {
        let alpn = match &self.stage {
            Stage::Open(stream) => stream.negotiated_alpn().ok().flatten(),
            _ => None,
        };
        TlsInfo {
            version: self.messages.version,
            cipher: None,
            alpn: alpn.map(|protocol| String::from_utf8_lossy(&protocol).into_owned()),
            chain: Vec::from_iter((!self.leaf.is_empty()).then(|| self.leaf.clone())),
            resumed: None,
            verified: self.rules.verified,
        }
    }
}

impl fmt::Debug for NativeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NativeSession")
    }
}
