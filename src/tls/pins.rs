//! Fingerprints of certificates and of public keys.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
#[cfg(feature = "__tls")]
use md5::{Digest, Md5};
#[cfg(feature = "__tls")]
use sha1::Sha1;
#[cfg(feature = "__tls")]
use sha2::Sha256;

#[cfg(feature = "__tls")]
use super::der::Certificate;
use crate::error::Error;

/// The fingerprint of a server's certificate or of its public key. A connection is refused if the server has another
/// one: see [`fingerprint`](crate::TlsConfigBuilder::fingerprint) and
/// [`assert_fingerprint`](crate::TlsConfigBuilder::assert_fingerprint).
///
/// A text is read as
/// - the digest of the certificate in hexadecimal digits, with or without colons: 64 digits are SHA-256, 40 SHA-1 and 32
///   MD5, as in urllib3 and aiohttp;
/// - the SHA-256 digest of the public key after `sha256//`, or `sha256/`, in base64, as in curl and OkHttp. It stays the
///   same when a certificate is renewed for the same key.
///
/// Use SHA-256. A certificate with the SHA-1 or MD5 of another one cannot be made for a given certificate today, but two
/// certificates with the same digest can be made together.
///
/// The certificates of the issuers are not compared.
///
/// ```
/// use hostpool::Fingerprint;
///
/// let spaced: Fingerprint = "92:81:FE:85:F7:0C:26:60:EC:D6:B3:BF:93:CF:F9:71:CC:07:7D:0A".parse()?;
/// assert_eq!(spaced, "9281fe85f70c2660ecd6b3bf93cff971cc077d0a".parse()?);
/// assert!("AA:A".parse::<Fingerprint>().is_err());
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    of: Of,
    digest: Box<[u8]>,
}

/// What a digest is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Of {
    Certificate,
    PublicKey,
}

impl Fingerprint {
    /// Returns the fingerprint of a certificate, whose algorithm is told by its length: 32 bytes are SHA-256, 20 SHA-1
    /// and 16 MD5.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) for another length.
    ///
    /// ```
    /// assert!(hostpool::Fingerprint::from_bytes([7; 32]).is_ok());
    /// assert!(hostpool::Fingerprint::from_bytes([7; 31]).is_err());
    /// ```
    pub fn from_bytes(digest: impl AsRef<[u8]>) -> Result<Fingerprint, Error> {
        match digest.as_ref() {
            digest if matches!(digest.len(), 16 | 20 | 32) => {
                Ok(Fingerprint { of: Of::Certificate, digest: digest.into() })
            }
            digest => Err(Error::config(format!(
                "a fingerprint has 32, 20 or 16 bytes (SHA-256, SHA-1, MD5), and not {}",
                digest.len()
            ))),
        }
    }

    /// Returns the fingerprint of a public key: the SHA-256 digest of its SubjectPublicKeyInfo (RFC 7469).
    ///
    /// ```
    /// let pin = hostpool::Fingerprint::of_public_key([7; 32]);
    /// assert_eq!(pin, "sha256//BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".parse()?);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn of_public_key(sha256: [u8; 32]) -> Fingerprint {
        Fingerprint { of: Of::PublicKey, digest: sha256.into() }
    }

    /// Returns the fingerprint of the same kind of this certificate.
    #[cfg(feature = "__tls")]
    fn of_the_same_kind(&self, certificate: &[u8]) -> Option<Fingerprint> {
        let bytes = match self.of {
            Of::Certificate => certificate,
            Of::PublicKey => Certificate::read(certificate)?.public_key,
        };
        let digest: Box<[u8]> = match self.digest.len() {
            16 => Md5::digest(bytes).as_slice().into(),
            20 => Sha1::digest(bytes).as_slice().into(),
            _ => Sha256::digest(bytes).as_slice().into(),
        };
        Some(Fingerprint { of: self.of, digest })
    }
}

/// Checks that one of the fingerprints is that of the certificate.
///
/// # Errors
///
/// What was expected, and what the server has.
#[cfg(feature = "__tls")]
pub(super) fn check(pins: &[Fingerprint], certificate: &[u8]) -> Result<(), String> {
    let mut other = None;
    for pin in pins {
        match pin.of_the_same_kind(certificate) {
            // Both are public.
            Some(found) if found == *pin => return Ok(()),
            found => other = other.or(found.map(|found| (pin, found))),
        }
    }
    let more = match pins.len() {
        0 | 1 => String::new(),
        count => format!(", or one of {} more,", count - 1),
    };
    Err(match other {
        Some((pin, found)) => format!("the server has the fingerprint {found}, and {pin}{more} is expected"),
        None => "the server's certificate has no public key that can be read".to_owned(),
    })
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Fingerprint, Error> {
        if let Some(base64) = text.strip_prefix("sha256//").or_else(|| text.strip_prefix("sha256/")) {
            let digest = STANDARD.decode(base64).ok().and_then(|digest| digest.try_into().ok());
            return digest
                .map(Fingerprint::of_public_key)
                .ok_or_else(|| Error::config("a fingerprint after sha256// has 32 bytes in base64"));
        }
        let digits: Vec<char> = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        let is_even = digits.len().is_multiple_of(2);
        let digest: Option<Vec<u8>> = digits
            .chunks(2)
            .map(|pair| pair.iter().try_fold(0, |byte, digit| Some(byte << 4 | digit.to_digit(16)? as u8)))
            .collect();
        match digest {
            Some(digest) if is_even => Fingerprint::from_bytes(digest),
            Some(_) => Err(Error::config(format!(
                "a fingerprint has 64, 40 or 32 hexadecimal digits (SHA-256, SHA-1, MD5), and not {}",
                digits.len()
            ))),
            None => Err(Error::config("a fingerprint has hexadecimal digits and colons, or begins with sha256//")),
        }
    }
}

impl TryFrom<&str> for Fingerprint {
    type Error = Error;

    fn try_from(text: &str) -> Result<Fingerprint, Error> {
        text.parse()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = Error;

    fn try_from(text: String) -> Result<Fingerprint, Error> {
        text.parse()
    }
}

impl TryFrom<&[u8]> for Fingerprint {
    type Error = Error;

    fn try_from(digest: &[u8]) -> Result<Fingerprint, Error> {
        Fingerprint::from_bytes(digest)
    }
}

impl TryFrom<Vec<u8>> for Fingerprint {
    type Error = Error;

    fn try_from(digest: Vec<u8>) -> Result<Fingerprint, Error> {
        Fingerprint::from_bytes(digest)
    }
}

impl From<[u8; 32]> for Fingerprint {
    /// Returns the fingerprint of a certificate by SHA-256.
    fn from(sha256: [u8; 32]) -> Fingerprint {
        Fingerprint { of: Of::Certificate, digest: sha256.into() }
    }
}

impl fmt::Display for Fingerprint {
    /// Shows the text that is read as this fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            Of::Certificate => self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Of::PublicKey => write!(f, "sha256//{}", STANDARD.encode(&self.digest)),
        }
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let table = [
            ("00:01:02:03:04:05:06:07:08:09:0A:0b:0C:0D:0E:0F", true),
            ("000102030405060708090a0b0c0d0e0f", true),
            ("000102030405060708090a0b0c0d0e0f10111213", true),
            ("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", true),
            ("sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true),
            ("sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true),
            ("", false),
            ("AA", false),
            ("AA:A", false),
            ("000102030405060708090a0b0c0d0e0f1", false),
            ("000102030405060708090a0b0c0d0e0g", false),
            ("00010203040506070809\u{e9}b0c0d0e0f", false),
            ("sha256//AAEC", false),
            ("sha256//####", false),
        ];
        for (text, valid) in table {
            match text.parse::<Fingerprint>() {
                Ok(pin) => assert!(valid && pin.to_string().parse::<Fingerprint>().unwrap() == pin, "{text}"),
                Err(error) => {
                    assert!(!valid, "{text}: {error}");
                    assert_eq!(error.kind(), &crate::ErrorKind::InvalidConfig, "{text}");
                }
            }
        }
    }
}
