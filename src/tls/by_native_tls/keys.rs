//! The client's key and certificates.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use native_tls::{Identity, TlsConnector};

use crate::error::{Error, Result};
use crate::tls::client_cert::{Client, ClientCert, KeyForm, PrivateKey, in_order};
use crate::tls::der::{self, Certificate};

/// Returns the identity for the library.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the key cannot be used, or belongs to none of the
/// certificates.
pub(super) fn identity(client: &Client) -> Result<Identity> {
    match client {
        Client::Parts(parts) => of_parts(parts),
        // The library of OpenSSL panics over it.
        Client::Pkcs12 { password, .. } if password.contains('\0') => {
            Err(Error::config("the password of the PKCS #12 file has a NUL"))
        }
        Client::Pkcs12 { der, password } => {
            let identity = Identity::from_pkcs12(der, password).map_err(|error| {
                let old = match error.to_string().contains("unsupported") {
                    true => ": it may be encrypted in an old way, which `openssl pkcs12 -legacy` still reads",
                    false => ": the password may be wrong",
                };
                Error::config(format!("the PKCS #12 file of the client certificate cannot be read{old}"))
            })?;
            fits(&identity)
                .then_some(identity)
                .ok_or_else(|| Error::config("the private key in the PKCS #12 file does not belong to its certificate"))
        }
    }
}

/// The library does not tell the public key of a private one. So each certificate is tried as the client's own: the
/// library refuses those that are not for the key.
fn of_parts(client: &ClientCert) -> Result<Identity> {
    let key = pem("PRIVATE KEY", &pkcs8(&client.key)?);
    let mut readable = false;
    for der in &client.chain {
        let own = Certificate::read(der).ok_or_else(|| Error::config("a client certificate cannot be read"))?;
        let chain: String =
            in_order(&client.chain, own.public_key)?.iter().map(|der| pem("CERTIFICATE", der)).collect();
        if let Ok(identity) = Identity::from_pkcs8(chain.as_bytes(), key.as_bytes()) {
            readable = true;
            if fits(&identity) {
                return Ok(identity);
            }
        }
    }
    Err(Error::config(match readable {
        true => "the private key does not belong to any of the client certificates",
        false => "the TLS library of the system cannot use the private key or the client certificate",
    }))
}

/// Returns whether the library takes the identity.
fn fits(identity: &Identity) -> bool {
    TlsConnector::builder().disable_built_in_roots(true).identity(identity.clone()).build().is_ok()
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let base64 = STANDARD.encode(der);
    for line in base64.as_bytes().chunks(64) {
        // Base64 is ASCII, and writing to a string does not fail.
        let _ = writeln!(text, "{}", String::from_utf8_lossy(line));
    }
    text + &format!("-----END {label}-----\n")
}

/// Returns the key in PKCS #8, which is the one form that the library takes (RFC 5958).
fn pkcs8(key: &PrivateKey) -> Result<Vec<u8>> {
    /// rsaEncryption, with NULL as its parameters (RFC 8017, appendix A.1).
    const RSA: [u8; 13] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];
    /// id-ecPublicKey (RFC 5480, section 2.1.1).
    const CURVES: [u8; 9] = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
    let algorithm = match key.form {
        KeyForm::Pkcs8 => return Ok(key.der.clone()),
        KeyForm::Pkcs1 => RSA.to_vec(),
        KeyForm::Sec1 => {
            let curve = der::curve_of_key(&key.der)
                .ok_or_else(|| Error::config("the private key does not name its curve: PKCS #8 does"))?;
            [&CURVES, curve].concat()
        }
    };
    let inner = [&[0x02, 0x01, 0x00][..], &der::element(0x30, &algorithm), &der::element(0x04, &key.der)].concat();
    Ok(der::element(0x30, &inner))
}
