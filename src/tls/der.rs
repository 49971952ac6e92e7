//! The parts of certificates and revocation lists that are needed beside the TLS library: for errors, for pins, to put
//! chains in order. Nothing is verified here (RFC 5280, section 4.1).

use std::fmt::Write as _;

use crate::date;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xA0;

/// The longest name that is shown.
const NAME: usize = 120;

/// An element of DER: its tag, its content, and all of its bytes.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

/// Takes the next element. Returns `None` at the end, and for bytes that are not DER.
fn next<'a>(rest: &mut &'a [u8]) -> Option<Element<'a>> {
    let bytes = *rest;
    let (&tag, &first) = (bytes.first()?, bytes.get(1)?);
    let (len, header) = match first {
        0..=0x7F => (usize::from(first), 2),
        0x81..=0x83 => {
            let count = usize::from(first - 0x80);
            let len = bytes.get(2..2 + count)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
            (len, 2 + count)
        }
        _ => return None,
    };
    let whole = bytes.get(..header + len)?;
    *rest = &bytes[header + len..];
    Some(Element { tag, content: &whole[header..], whole })
}

fn expect<'a>(rest: &mut &'a [u8], tag: u8) -> Option<Element<'a>> {
    next(rest).filter(|element| element.tag == tag)
}

/// Returns the first element of these bytes, as a whole.
pub(super) fn first_element(bytes: &[u8]) -> Option<&[u8]> {
    next(&mut { bytes }).map(|element| element.whole)
}

/// The parts of a certificate.
pub(super) struct Certificate<'a> {
    /// The issuer's name, in DER.
    pub(super) issuer: &'a [u8],
    /// The times at which the validity begins and ends, in seconds since 1970.
    pub(super) validity: (i64, i64),
    /// The owner's name, in DER.
    pub(super) subject: &'a [u8],
    /// The public key with its algorithm, in DER: a SubjectPublicKeyInfo.
    pub(super) public_key: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(super) fn read(der: &'a [u8]) -> Option<Certificate<'a>> {
        let mut certificate = expect(&mut { der }, SEQUENCE)?.content;
        let mut rest = expect(&mut certificate, SEQUENCE)?.content;
        // Version 1 is left out.
        if rest.first()? == &VERSION {
            next(&mut rest)?;
        }
        expect(&mut rest, INTEGER)?;
        expect(&mut rest, SEQUENCE)?;
        let issuer = expect(&mut rest, SEQUENCE)?.whole;
        let mut validity = expect(&mut rest, SEQUENCE)?.content;
        let validity = (time(next(&mut validity)?)?, time(next(&mut validity)?)?);
        let subject = expect(&mut rest, SEQUENCE)?.whole;
        let public_key = expect(&mut rest, SEQUENCE)?.whole;
        Some(Certificate { issuer, validity, subject, public_key })
    }

    /// Returns whether the certificate names itself as its issuer, as roots do.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

/// Returns whether a certificate has a DNS name besides its common name (RFC 5280, section 4.2.1.6).
#[cfg(feature = "native-tls")]
pub(super) fn has_dns_name(der: &[u8]) -> bool {
    const EXTENSIONS: u8 = 0xA3;
    const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1D, 0x11];
    const OCTET_STRING: u8 = 0x04;
    const DNS_NAME: u8 = 0x82;
    let names = || {
        let mut certificate = expect(&mut { der }, SEQUENCE)?.content;
        let mut parts = expect(&mut certificate, SEQUENCE)?.content;
        let mut extensions = std::iter::from_fn(|| next(&mut parts)).find(|part| part.tag == EXTENSIONS)?.content;
        let mut extensions = expect(&mut extensions, SEQUENCE)?.content;
        loop {
            let mut extension = expect(&mut extensions, SEQUENCE)?.content;
            if expect(&mut extension, OID)?.content == SUBJECT_ALT_NAME {
                // It may be marked as critical.
                let mut value =
                    std::iter::from_fn(|| next(&mut extension)).find(|part| part.tag == OCTET_STRING)?.content;
                return expect(&mut value, SEQUENCE).map(|names| names.content);
            }
        }
    };
    let mut names = names().unwrap_or_default();
    std::iter::from_fn(|| next(&mut names)).any(|name| name.tag == DNS_NAME)
}

/// Returns the curve of an elliptic key, as an OBJECT IDENTIFIER, if the key names it (RFC 5915).
#[cfg(feature = "native-tls")]
pub(super) fn curve_of_key(der: &[u8]) -> Option<&[u8]> {
    const PARAMETERS: u8 = 0xA0;
    let mut parts = expect(&mut { der }, SEQUENCE)?.content;
    let mut parameters = std::iter::from_fn(|| next(&mut parts)).find(|part| part.tag == PARAMETERS)?.content;
    expect(&mut parameters, OID).map(|curve| curve.whole)
}

/// Returns an element of DER.
#[cfg(feature = "native-tls")]
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len().to_be_bytes();
    let len = &len[len.iter().take_while(|byte| **byte == 0).count().min(len.len() - 1)..];
    let mut element = vec![tag];
    if content.len() > 0x7F {
        element.push(0x80 | len.len() as u8);
    }
    element.extend([len, content].concat());
    element
}

/// Returns the bits of a public key without its algorithm. Libraries write the parameters of an algorithm differently.
pub(super) fn key_bits(public_key: &[u8]) -> Option<&[u8]> {
    let mut rest = expect(&mut { public_key }, SEQUENCE)?.content;
    expect(&mut rest, SEQUENCE)?;
    expect(&mut rest, BIT_STRING).map(|bits| bits.content)
}

/// Returns the issuer's name in DER and the time of the update of a revocation list (RFC 5280, section 5.1).
pub(super) fn revocation_list(der: &[u8]) -> Option<(&[u8], i64)> {
    let mut list = expect(&mut { der }, SEQUENCE)?.content;
    let mut rest = expect(&mut list, SEQUENCE)?.content;
    if rest.first()? == &INTEGER {
        next(&mut rest)?;
    }
    expect(&mut rest, SEQUENCE)?;
    let issuer = expect(&mut rest, SEQUENCE)?.whole;
    Some((issuer, time(next(&mut rest)?)?))
}

/// Returns seconds since 1970 (RFC 5280, section 4.1.2.5).
fn time(element: Element<'_>) -> Option<i64> {
    let text = std::str::from_utf8(element.content).ok()?;
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2).and_then(|digits| digits.parse().ok());
    date::seconds(year, [part(0)?, part(2)?, part(4)?, part(6)?, part(8)?])
}

/// Returns a name in words: `CN=..., O=...`.
pub(super) fn name(der: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = expect(&mut { der }, SEQUENCE).map_or(&[][..], |name| name.content);
    while let Some(mut set) = expect(&mut rest, SET).map(|set| set.content) {
        let Some(mut attribute) = expect(&mut set, SEQUENCE).map(|attribute| attribute.content) else { break };
        let (Some(kind), Some(value)) = (expect(&mut attribute, OID), next(&mut attribute)) else { break };
        let kind = match kind.content {
            [0x55, 0x04, 0x03] => "CN",
            [0x55, 0x04, 0x06] => "C",
            [0x55, 0x04, 0x07] => "L",
            [0x55, 0x04, 0x08] => "ST",
            [0x55, 0x04, 0x0A] => "O",
            [0x55, 0x04, 0x0B] => "OU",
            _ => continue,
        };
        let comma = if text.is_empty() { "" } else { ", " };
        // The peer decides what is in a name. Writing to a string does not fail.
        let _ = write!(text, "{comma}{kind}={}", String::from_utf8_lossy(value.content).escape_debug());
        if text.len() > NAME {
            let end = (0..=NAME).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            text.truncate(end);
            return text + "...";
        }
    }
    if text.is_empty() { "a name without a common name".to_owned() } else { text }
}

/// Returns the name of an algorithm: of a signature, or of a public key. `der` is the content of an AlgorithmIdentifier
/// (RFC 5280, section 4.1.1.2), or the whole of one.
pub(super) fn algorithm(der: &[u8]) -> String {
    let mut rest = expect(&mut { der }, SEQUENCE).map_or(der, |sequence| sequence.content);
    let Some(kind) = expect(&mut rest, OID) else { return "an algorithm without an identifier".to_owned() };
    let known = match kind.content {
        [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, last] => match last {
            0x01 => "RSA",
            0x04 => "RSA with MD5",
            0x05 => "RSA with SHA-1",
            0x0A => "RSA-PSS",
            0x0B => "RSA with SHA-256",
            0x0C => "RSA with SHA-384",
            0x0D => "RSA with SHA-512",
            _ => "",
        },
        [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, last @ 1..=4] => {
            ["ECDSA with SHA-224", "ECDSA with SHA-256", "ECDSA with SHA-384", "ECDSA with SHA-512"]
                [usize::from(*last) - 1]
        }
        [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01] => "ECDSA with SHA-1",
        [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01] => match expect(&mut rest, OID).map(|curve| curve.content) {
            Some([0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]) => "a key on P-256",
            Some([0x2B, 0x81, 0x04, 0x00, 0x22]) => "a key on P-384",
            Some([0x2B, 0x81, 0x04, 0x00, 0x23]) => "a key on P-521",
            Some([0x2B, 0x81, 0x04, 0x00, 0x0A]) => "a key on secp256k1",
            _ => "a key on an elliptic curve",
        },
        [0x2A, 0x86, 0x48, 0xCE, 0x38, ..] => "DSA",
        [0x2B, 0x65, 0x70] => "Ed25519",
        [0x2B, 0x65, 0x71] => "Ed448",
        _ => "",
    };
    if known.is_empty() { format!("the algorithm {}", dotted(kind.content)) } else { known.to_owned() }
}

/// Returns how a private key in DER is encrypted (RFC 8018, RFC 7292).
#[cfg(feature = "encrypted-keys")]
pub(super) fn encryption(der: &[u8]) -> String {
    let scheme = expect(&mut { der }, SEQUENCE)
        .and_then(|key| expect(&mut { key.content }, SEQUENCE))
        .and_then(|algorithm| expect(&mut { algorithm.content }, OID));
    let Some(scheme) = scheme else { return "something that is not PKCS #8".to_owned() };
    match scheme.content {
        [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, 0x0D] => "PBES2 with a cipher or a hash that is not supported",
        [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, ..] => "PBES1, which is DES or RC2",
        [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x01, 0x01 | 0x02] => "RC4 of PKCS #12",
        [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x01, 0x03 | 0x04] => "3DES of PKCS #12",
        [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x01, 0x05 | 0x06] => "RC2 of PKCS #12",
        other => return format!("the algorithm {}", dotted(other)),
    }
    .to_owned()
}

/// Returns an object identifier in dots.
fn dotted(oid: &[u8]) -> String {
    let Some((first, rest)) = oid.split_first() else { return "?".to_owned() };
    let mut text = format!("{}.{}", (first / 40).min(2), first - 40 * (first / 40).min(2));
    let mut part = 0_u64;
    for byte in rest.iter().take(32) {
        part = part << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            // Writing to a string does not fail.
            let _ = write!(text, ".{part}");
            part = 0;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made(change: impl FnOnce(&mut rcgen::CertificateParams)) -> (rcgen::Certificate, rcgen::KeyPair) {
        let mut params = rcgen::CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(2001, 2, 3);
        params.not_after = rcgen::date_time_ymd(2061, 2, 3);
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let key = rcgen::KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap(), key)
    }

    #[test]
    fn parts_of_certificates() {
        let (made, key) = made(|params| {
            params.distinguished_name.push(rcgen::DnType::CommonName, "a\nb");
            params.distinguished_name.push(rcgen::DnType::OrganizationName, "c");
        });
        let read = Certificate::read(made.der()).unwrap();
        assert_eq!(read.validity, (981_158_400, 2_874_614_400));
        assert!(read.is_self_issued());
        assert_eq!(name(read.subject), r"CN=a\nb, O=c");
        assert_eq!(read.public_key, rcgen::PublicKeyData::subject_public_key_info(&key));
        assert!(key_bits(read.public_key).is_some());
    }

    #[test]
    fn names_of_algorithms() {
        let table: [(&[u8], &str); 4] = [
            (&[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x04], "ECDSA with SHA-512"),
            (&[0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70], "Ed25519"),
            (&[0x06, 0x03, 0x2A, 0x03, 0x04], "the algorithm 1.2.3.4"),
            (&[], "an algorithm without an identifier"),
        ];
        for (der, expected) in table {
            assert_eq!(algorithm(der), expected);
        }
    }

    proptest! {
        /// A peer may send any bytes.
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..400, byte: u8) {
            let (made, _) = made(|_| ());
            let mut changed = made.der().to_vec();
            let at = at % changed.len();
            changed[at] = byte;
            for der in [&bytes[..], &changed] {
                if let Some(read) = Certificate::read(der) {
                    name(read.issuer);
                    key_bits(read.public_key);
                }
                revocation_list(der);
                name(der);
                algorithm(der);
            }
        }
    }
}
