//! What can be seen of a connection without its keys: where its records end, the version, and whether the server asks
//! for a client certificate. native-tls tells none of it.

use std::ops::Range;

use crate::net::tls_info::TlsVersion;

const HANDSHAKE: u8 = 22;
const HEADER: usize = 5;

/// The types of handshake messages.
const SERVER_HELLO: u8 = 2;
const CERTIFICATE_REQUEST: u8 = 13;

/// The extension that has the version of TLS 1.3 (RFC 8446, section 4.2.1).
const SUPPORTED_VERSIONS: u16 = 43;

/// The most bytes of a ServerHello that are kept. One has a few hundred.
const HELLO: usize = 4 * 1024;

/// Follows the peer's records.
#[derive(Default)]
pub(super) struct Records {
    header: [u8; HEADER],
    /// How much of the header is there.
    have: usize,
    /// How much of the body is missing, once the header is there.
    missing: usize,
}

/// A piece of a record.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    /// The number of bytes, with those of the header.
    pub(super) len: usize,
    /// The type of the record.
    pub(super) typ: u8,
    /// The bytes that are of the body.
    pub(super) body: Range<usize>,
    /// The record ends here.
    pub(super) ends: bool,
}

impl Records {
    /// Returns the piece at the front of `input`: up to the end of the record, or to the end of `input`, which is not
    /// empty.
    pub(super) fn next(&mut self, input: &[u8]) -> Piece {
        let header = (HEADER - self.have).min(input.len());
        self.header[self.have..self.have + header].copy_from_slice(&input[..header]);
        self.have += header;
        if header > 0 && self.have == HEADER {
            self.missing = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
        }
        let body = if self.have == HEADER { self.missing.min(input.len() - header) } else { 0 };
        self.missing -= body;
        let ends = self.have == HEADER && self.missing == 0;
        if ends {
            self.have = 0;
        }
        Piece { len: header + body, typ: self.header[0], body: header..header + body, ends }
    }
}

/// Reads the handshake messages that are not encrypted.
#[derive(Default)]
pub(super) struct Messages {
    header: [u8; 4],
    have: usize,
    missing: usize,
    /// The ServerHello, while it comes.
    hello: Vec<u8>,
    pub(super) version: Option<TlsVersion>,
    /// The server asks for a client certificate. In TLS 1.3 that is encrypted.
    pub(super) asks: bool,
    /// What comes next is encrypted.
    over: bool,
}

impl Messages {
    /// Takes a piece of a record's body.
    pub(super) fn note(&mut self, typ: u8, mut body: &[u8]) {
        // A ChangeCipherSpec or data: what follows is encrypted.
        self.over |= typ != HANDSHAKE && !body.is_empty();
        while !self.over && !body.is_empty() {
            if self.have < self.header.len() {
                self.header[self.have] = body[0];
                self.have += 1;
                body = &body[1..];
                if self.have < self.header.len() {
                    continue;
                }
                let [typ, a, b, c] = self.header;
                self.missing = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.asks |= typ == CERTIFICATE_REQUEST;
            }
            let (now, later) = body.split_at(self.missing.min(body.len()));
            if self.header[0] == SERVER_HELLO && self.version.is_none() {
                self.hello.extend_from_slice(&now[..now.len().min(HELLO - self.hello.len())]);
            }
            self.missing -= now.len();
            body = later;
            if self.missing == 0 {
                self.have = 0;
                if self.header[0] == SERVER_HELLO {
                    self.version = self.version.or_else(|| version(&std::mem::take(&mut self.hello)));
                    self.over = self.version == Some(TlsVersion::V1_3);
                }
            }
        }
    }
}

/// Returns the version in a ServerHello (RFC 8446, section 4.1.3).
fn version(mut hello: &[u8]) -> Option<TlsVersion> {
    fn take<'a>(from: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = from.split_at_checked(len)?;
        *from = rest;
        Some(taken)
    }
    fn number(from: &mut &[u8]) -> Option<u16> {
        take(from, 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }
    fn extended(mut rest: &[u8]) -> Option<u16> {
        let session = take(&mut rest, 32).and_then(|_| take(&mut rest, 1))?[0];
        // The cipher suite and the compression follow.
        take(&mut rest, usize::from(session) + 2 + 1)?;
        let len = number(&mut rest)?;
        let mut extensions = take(&mut rest, len.into())?;
        loop {
            let (kind, len) = (number(&mut extensions)?, number(&mut extensions)?);
            let mut data = take(&mut extensions, len.into())?;
            if kind == SUPPORTED_VERSIONS {
                return number(&mut data);
            }
        }
    }
    let old = number(&mut hello)?;
    match extended(hello).unwrap_or(old) {
        0x0301 => Some(TlsVersion::V1_0),
        0x0302 => Some(TlsVersion::V1_1),
        0x0303 => Some(TlsVersion::V1_2),
        0x0304 => Some(TlsVersion::V1_3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A ServerHello with these extensions.
    fn hello(version: u16, extensions: &[u8]) -> Vec<u8> {
        let mut body = version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.extend([3, 1, 2, 3, 0x13, 0x01, 0]);
        if !extensions.is_empty() {
            body.extend((extensions.len() as u16).to_be_bytes());
            body.extend(extensions);
        }
        message(SERVER_HELLO, &body)
    }

    fn message(typ: u8, body: &[u8]) -> Vec<u8> {
        [&[typ, 0, (body.len() >> 8) as u8, body.len() as u8][..], body].concat()
    }

    fn record(typ: u8, body: &[u8]) -> Vec<u8> {
        [&[typ, 3, 3, (body.len() >> 8) as u8, body.len() as u8][..], body].concat()
    }

    /// Reads records in pieces of this size.
    fn seen(bytes: &[u8], size: usize) -> (Option<TlsVersion>, bool, usize) {
        let (mut records, mut messages, mut ends) = (Records::default(), Messages::default(), 0);
        for mut input in bytes.chunks(size) {
            while !input.is_empty() {
                let piece = records.next(input);
                messages.note(piece.typ, &input[piece.body.clone()]);
                ends += usize::from(piece.ends);
                input = &input[piece.len..];
            }
        }
        (messages.version, messages.asks, ends)
    }

    #[test]
    fn handshakes() {
        let other = [0, 23, 0, 0];
        let thirteen = [0, 23, 0, 0, 0, 43, 0, 2, 3, 4];
        let asks = message(CERTIFICATE_REQUEST, &[1, 2, 3]);
        let certificate = message(11, &[0; 500]);
        let of = |messages: &[Vec<u8>]| record(HANDSHAKE, &messages.concat());
        let encrypted = [record(20, &[1]), record(HANDSHAKE, &asks)].concat();
        let table = [
            ("TLS 1.3", of(&[hello(0x0303, &thirteen)]), Some(TlsVersion::V1_3), false, 1),
            ("TLS 1.2", of(&[hello(0x0303, &other), certificate.clone()]), Some(TlsVersion::V1_2), false, 1),
            ("TLS 1.0", of(&[hello(0x0301, &[])]), Some(TlsVersion::V1_0), false, 1),
            ("asks", of(&[hello(0x0302, &other), certificate.clone(), asks]), Some(TlsVersion::V1_1), true, 1),
            ("encrypted", [of(&[hello(0x0303, &[])]), encrypted].concat(), Some(TlsVersion::V1_2), false, 3),
            (
                "in two records",
                {
                    let messages = [hello(0x0303, &other), certificate].concat();
                    [record(HANDSHAKE, &messages[..20]), record(HANDSHAKE, &messages[20..])].concat()
                },
                Some(TlsVersion::V1_2),
                false,
                2,
            ),
            ("empty records", [record(HANDSHAKE, &[]), record(23, &[])].concat(), None, false, 2),
            ("a version of no TLS", of(&[hello(0x0300, &[])]), None, false, 1),
        ];
        for (row, bytes, version, asks, ends) in table {
            for size in [1, 2, 3, 7, 100, bytes.len()] {
                assert_eq!(seen(&bytes, size), (version, asks, ends), "{row}, by {size}");
            }
        }
    }

    proptest! {
        /// A peer may send any bytes. No byte is lost, and none is taken twice.
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(0_u8..30, 1..3000), size in 1_usize..300) {
            seen(&bytes, size);
            let mut messages = Messages::default();
            bytes.chunks(size).for_each(|piece| messages.note(HANDSHAKE, piece));
            version(&bytes);
        }
    }
}
