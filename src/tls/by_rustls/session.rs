//! One connection by rustls.

use std::fmt;
use std::io::{self, BufRead, IoSlice, Read, Write};

use rustls::{ClientConnection, HandshakeKind, ProtocolVersion};

use super::explain::{self, Situation};
use super::notes::{self, Notes};
use crate::error::{TlsFailure, TlsFault};
use crate::net::tls_info::{TlsInfo, TlsVersion};
use crate::tls::alerts;
use crate::tls::session::{Fed, Session};

/// The type of a record that is an alert.
const ALERT: u8 = 21;

/// The bytes before the content of a record: its type, a version and its length.
const HEADER: usize = 5;

/// The client's end of one connection.
pub(super) struct RustlsSession {
    tls: ClientConnection,
    verified: bool,
    /// The server asked for a client certificate. The value tells whether it got one.
    asked: Option<bool>,
    /// The server has sent plaintext.
    answered: bool,
    /// The server asked for another handshake, and has sent no plaintext since.
    renegotiation: bool,
    /// We have encrypted a close_notify.
    closing: bool,
}

impl RustlsSession {
    pub(super) fn new(tls: ClientConnection, verified: bool) -> RustlsSession {
        RustlsSession { tls, verified, asked: None, answered: false, renegotiation: false, closing: false }
    }

    fn failure(&self, error: &rustls::Error, refusal: Option<TlsFailure>) -> TlsFailure {
        if let (rustls::Error::InvalidCertificate(_), Some(refusal)) = (error, refusal) {
            return refusal;
        }
        let handshaking = self.tls.is_handshaking();
        // After the handshake and before the first response, such an alert is the server's answer to our last messages
        // of the handshake: in TLS 1.3 the client may send before it is accepted (RFC 8446, section 4.4.2.4).
        let is_late = !handshaking && !self.answered && self.is_tls13();
        // Later such an alert may be about anything.
        let asked = self.asked.filter(|_| handshaking || is_late);
        let failure = explain::connection(error, Situation { handshaking, asked, renegotiation: self.renegotiation });
        let of_the_client = [TlsFault::ClientCertificateRequired, TlsFault::ClientCertificateRefused];
        if is_late && of_the_client.contains(&failure.fault()) { failure.unprocessed() } else { failure }
    }

    fn is_tls13(&self) -> bool {
        self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Notes an alert among new records. After the handshake of TLS 1.2 rustls sends one only to refuse another
    /// handshake (RFC 5246, section 7.2.2), to report a failure, and to close.
    fn note_refused_handshake(&mut self, mut records: &[u8]) {
        while let [typ, _, _, high, low, ..] = *records {
            self.renegotiation |= typ == ALERT;
            let len = HEADER + usize::from(u16::from_be_bytes([high, low]));
            records = records.get(len..).unwrap_or_default();
        }
    }
}

impl Session for RustlsSession {
    fn feed(&mut self, input: &[u8]) -> Result<Fed, TlsFailure> {
        let taken = self
            .tls
            .read_tls(&mut { input })
            .map_err(|_| TlsFailure::new(TlsFault::Other, "the TLS library takes no more before it is read", false))?;
        // A verifier runs only in the handshake.
        let (processed, notes) = match self.tls.is_handshaking() {
            true => notes::during(|| self.tls.process_new_packets()),
            false => (self.tls.process_new_packets(), Notes::default()),
        };
        self.asked = notes.asked.or(self.asked);
        match processed {
            // Bytes after a close_notify are not taken.
            Ok(state) => {
                if state.plaintext_bytes_to_read() > 0 {
                    (self.answered, self.renegotiation) = (true, false);
                }
                Ok(Fed { taken, closed: taken == 0 || state.peer_has_closed() })
            }
            Err(error) => {
                self.closing = true;
                let failure = self.failure(&error, notes.refusal);
                Err(if failure.fault() == TlsFault::NotTls { alerts::not_tls(input) } else { failure })
            }
        }
    }

    fn end(&mut self) {
        // Reading nothing from memory does not fail.
        let _ = self.tls.read_tls(&mut io::empty());
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.tls.reader().read(buf)
    }

    fn has_plaintext(&mut self) -> bool {
        self.tls.reader().fill_buf().is_ok_and(|plaintext| !plaintext.is_empty())
    }

    fn write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.tls.writer().write_vectored(bufs)
    }

    fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    fn pull(&mut self, outgoing: &mut Vec<u8>) {
        let before = outgoing.len();
        while self.tls.wants_write() {
            // A write to memory neither fails nor blocks.
            if !matches!(self.tls.write_tls(outgoing), Ok(1..)) {
                break;
            }
        }
        let watched = !self.closing && !self.tls.is_handshaking() && !self.is_tls13();
        if watched {
            self.note_refused_handshake(&outgoing[before..]);
        }
    }

    fn close(&mut self) {
        self.closing = true;
        self.tls.send_close_notify();
    }

    fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    fn explain_end(&self) -> Option<TlsFailure> {
        self.renegotiation.then(explain::renegotiation)
    }

    fn info(&self) -> TlsInfo {
        let version = match self.tls.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::V1_2),
            Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::V1_3),
            _ => None,
        };
        let chain = self.tls.peer_certificates().unwrap_or_default();
        let suite = self.tls.negotiated_cipher_suite().map(|suite| suite.suite());
        TlsInfo {
            version,
            cipher: suite.and_then(|suite| suite.as_str()).map(iana_name),
            alpn: self.tls.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
            chain: chain.iter().map(|certificate| certificate.to_vec()).collect(),
            resumed: self.tls.handshake_kind().map(|kind| kind == HandshakeKind::Resumed),
            verified: self.verified,
        }
    }
}

/// Returns the name of a cipher suite in the registry of IANA, which has no `TLS13_`.
fn iana_name(name: &str) -> String {
    name.replacen("TLS13_", "TLS_", 1)
}

impl fmt::Debug for RustlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RustlsSession")
    }
}
