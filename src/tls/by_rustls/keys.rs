//! The client's key and certificates.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

use super::certificates;
use crate::error::{Error, Result};
use crate::tls::client_cert::{ClientCert, KeyForm, in_order};

/// Returns the key with its certificates, in the order in which a server wants them.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the key cannot be used, or belongs to none of the
/// certificates.
pub(super) fn certified(client: &ClientCert, provider: &CryptoProvider, name: &str) -> Result<Arc<CertifiedKey>> {
    let der = client.key.der.clone();
    let der = match client.key.form {
        KeyForm::Pkcs8 => PrivateKeyDer::Pkcs8(der.into()),
        KeyForm::Pkcs1 => PrivateKeyDer::Pkcs1(der.into()),
        KeyForm::Sec1 => PrivateKeyDer::Sec1(der.into()),
    };
    let key = provider.key_provider.load_private_key(der).map_err(|_| {
        let more = if name == "ring" { "" } else { ", P-521" };
        Error::config(format!(
            "the private key cannot be used: {name} has RSA of 2048 bits or more, P-256, P-384{more} and Ed25519"
        ))
    })?;
    let public = key.public_key().ok_or_else(|| Error::config("the private key does not tell its public key"))?;
    let chain = in_order(&client.chain, &public)?;
    Ok(Arc::new(CertifiedKey::new(certificates(&chain), key)))
}
