//! The certificate and the key of the client.

use std::fmt;

use super::certificates::{Content, Source, certificates_of};
use super::der::{Certificate, key_bits};
use super::pem::{self, Block};
use crate::error::{Error, Result};

const CERTIFICATE: &str = "client certificates";
const KEY: &str = "private keys";

/// A password that is ignored hides that the key lies open.
const NOT_ENCRYPTED: &str = "there is a password for a private key that is not encrypted";

/// What the client shows to servers that ask for a certificate.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Client {
    Parts(ClientCert),
    /// Certificates and key in one (RFC 7292). The TLS library reads it.
    Pkcs12 {
        der: Vec<u8>,
        password: String,
    },
}

/// The certificate and the key of the client.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ClientCert {
    /// The client's own certificate, and those of its issuers, in DER.
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) key: PrivateKey,
}

/// A private key, in DER.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PrivateKey {
    pub(super) form: KeyForm,
    pub(super) der: Vec<u8>,
}

/// The form of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum KeyForm {
    /// Of any algorithm (RFC 5958).
    Pkcs8,
    /// Of RSA (RFC 8017, appendix A.1.2).
    Pkcs1,
    /// Of elliptic curves (RFC 5915).
    Sec1,
}

impl fmt::Debug for Client {
    /// Leaves the key and the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Client::Parts(parts) => write!(f, "Parts({} certificates)", parts.chain.len()),
            Client::Pkcs12 { der, .. } => write!(f, "Pkcs12({} bytes)", der.len()),
        }
    }
}

/// The places that the caller names for the certificate and the key.
#[derive(Clone, Default)]
pub(super) struct ClientSources {
    pub(super) certificates: Option<Source>,
    pub(super) key: Option<Source>,
    pub(super) password: Option<Vec<u8>>,
    /// A PKCS #12 file and its password.
    pub(super) pkcs12: Option<(Source, String)>,
}

impl ClientSources {
    /// Reads what the client shows.
    pub(super) fn read(&self) -> Result<Option<Client>> {
        let Some((source, password)) = &self.pkcs12 else {
            return Ok(self.read_parts()?.map(Client::Parts));
        };
        if self.certificates.is_some() || self.key.is_some() || self.password.is_some() {
            return Err(Error::config("there is a client certificate or a key beside the PKCS #12 file"));
        }
        match source.read("PKCS #12")? {
            Content::Der(der) => Ok(Some(Client::Pkcs12 { der, password: password.clone() })),
            Content::Pem(blocks) => {
                let why = format!("a PKCS #12 file is not PEM, and this one has {}", pem::labels(&blocks));
                Err(source.blame(Error::config(why)))
            }
        }
    }

    /// Reads the certificates and the key. The chain is as the caller wrote it: [`in_order`] sorts it.
    fn read_parts(&self) -> Result<Option<ClientCert>> {
        let Some(source) = &self.certificates else {
            return match (&self.key, &self.password) {
                (None, None) => Ok(None),
                (Some(_), _) => {
                    Err(Error::config("there is a private key for a client certificate, and no certificate"))
                }
                (None, Some(_)) => Err(Error::config("there is a password for a private key, and no key")),
            };
        };
        let content = source.read(CERTIFICATE)?;
        let chain = match &content {
            Content::Der(der) => vec![der.clone()],
            Content::Pem(blocks) => certificates_of(blocks),
        };
        if let (true, Content::Pem(blocks)) = (chain.is_empty(), &content) {
            let why = format!("a source of {CERTIFICATE} has no certificate, but {}", pem::labels(blocks));
            return Err(source.blame(Error::config(why)));
        }
        let key = match (&self.key, content) {
            (Some(source), _) => self.key_of(source, source.read(KEY)?)?,
            // One file has both.
            (None, content @ Content::Pem(_)) => self.key_of(source, content)?,
            (None, Content::Der(_)) => return Err(Error::config("the client certificate has no private key")),
        };
        Ok(Some(ClientCert { chain, key }))
    }

    fn key_of(&self, source: &Source, content: Content) -> Result<PrivateKey> {
        let password = self.password.as_deref();
        let key = match content {
            Content::Pem(blocks) => key_in(&blocks, password),
            Content::Der(der) => key_by_content(der, password),
        };
        key.map_err(|error| source.blame(error))
    }
}

/// Returns the first key among these blocks.
fn key_in(blocks: &[Block], password: Option<&[u8]>) -> Result<PrivateKey> {
    for block in blocks {
        let form = match &*block.label {
            _ if block.encrypted => {
                // `openssl rsa` and older programs write such keys, whose cipher is keyed by MD5.
                let why = "the private key is encrypted in the old way of OpenSSL, which is not supported: \
                           `openssl pkcs8 -topk8` writes it anew";
                return Err(Error::config(why));
            }
            "PRIVATE KEY" => KeyForm::Pkcs8,
            "RSA PRIVATE KEY" => KeyForm::Pkcs1,
            "EC PRIVATE KEY" => KeyForm::Sec1,
            "ENCRYPTED PRIVATE KEY" => return decrypted(&block.der, password),
            _ => continue,
        };
        return match password {
            Some(_) => Err(Error::config(NOT_ENCRYPTED)),
            None => Ok(PrivateKey { form, der: block.der.clone() }),
        };
    }
    Err(Error::config(format!("the client certificate has no private key: its source has {}", pem::labels(blocks))))
}

/// Tells the form of a key in DER by what is in it.
fn key_by_content(der: Vec<u8>, password: Option<&[u8]>) -> Result<PrivateKey> {
    // After the outer header: INTEGER 0 and a SEQUENCE in PKCS#8, INTEGER 0 and an INTEGER in PKCS#1, INTEGER 1 in
    // SEC1, a SEQUENCE in an encrypted key.
    let header = match der.get(1) {
        Some(0..=0x7F) => 2,
        Some(0x81) => 3,
        Some(0x82) => 4,
        _ => der.len(),
    };
    let form = match der.get(header..).unwrap_or_default() {
        [0x02, 0x01, 0x00 | 0x01, 0x30, ..] => KeyForm::Pkcs8,
        [0x02, 0x01, 0x00, 0x02, ..] => KeyForm::Pkcs1,
        [0x02, 0x01, 0x01, 0x04, ..] => KeyForm::Sec1,
        [0x30, ..] => return decrypted(&der, password),
        _ => return Err(Error::config("the private key is neither PEM nor a key in DER")),
    };
    match password {
        Some(_) => Err(Error::config(NOT_ENCRYPTED)),
        None => Ok(PrivateKey { form, der }),
    }
}

#[cfg(not(feature = "encrypted-keys"))]
fn decrypted(_: &[u8], password: Option<&[u8]>) -> Result<PrivateKey> {
    match password {
        None => Err(Error::config("the private key is encrypted, and there is no password")),
        Some(_) => {
            let why = "the private key is encrypted, which needs the feature encrypted-keys";
            Err(Error::unsupported(why, crate::error::Phase::Prepare))
        }
    }
}

#[cfg(feature = "encrypted-keys")]
fn decrypted(der: &[u8], password: Option<&[u8]>) -> Result<PrivateKey> {
    use pkcs8::EncryptedPrivateKeyInfoRef;

    let Some(password) = password else {
        return Err(Error::config("the private key is encrypted, and there is no password"));
    };
    let unknown = || {
        let why = format!("the private key is encrypted by {}", super::der::encryption(der));
        Err(Error::config(why + ": `openssl pkcs8 -topk8 -v2 aes-256-cbc` writes it anew"))
    };
    let Ok(info) = EncryptedPrivateKeyInfoRef::try_from(der) else { return unknown() };
    match info.decrypt(password) {
        Ok(key) => Ok(PrivateKey { form: KeyForm::Pkcs8, der: key.as_bytes().to_vec() }),
        Err(pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed)) => {
            Err(Error::config("the password of the private key is wrong"))
        }
        // The plaintext of a wrong password may look well padded.
        Err(pkcs8::Error::Asn1(_)) => Err(Error::config("the password of the private key is wrong")),
        Err(_) => unknown(),
    }
}

/// Returns the certificates that a peer needs: the one of this public key first, and after each its issuer. A root is
/// left out, because the peer has it (RFC 8446, section 4.4.2).
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if no certificate is for the key.
pub(super) fn in_order(chain: &[Vec<u8>], public_key: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut read = Vec::new();
    for der in chain {
        let parts = Certificate::read(der).ok_or_else(|| Error::config("a client certificate cannot be read"))?;
        read.push((der, parts));
    }
    let bits = key_bits(public_key);
    let own = read.iter().position(|(_, parts)| bits.is_some() && key_bits(parts.public_key) == bits);
    let Some(own) = own else {
        return Err(Error::config("the private key does not belong to any of the client certificates"));
    };
    let mut last = read.swap_remove(own);
    let mut sorted = vec![last.0.clone()];
    while !last.1.is_self_issued() {
        let issuer = read.iter().position(|(_, parts)| parts.subject == last.1.issuer && !parts.is_self_issued());
        let Some(issuer) = issuer else { break };
        last = read.swap_remove(issuer);
        sorted.push(last.0.clone());
    }
    Ok(sorted)
}
