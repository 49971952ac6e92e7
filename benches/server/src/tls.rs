//! The server's certificates and its side of TLS.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use crate::serve::Peer;

/// An authority made for this run; its key is never written.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "hostpool bench authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("random bytes");
        Authority(CertifiedIssuer::self_signed(params, key).expect("the parameters agree"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A configuration with a certificate for 127.0.0.1 and localhost.
    pub fn server(&self, resumption: bool) -> Arc<ServerConfig> {
        let names = ["127.0.0.1".into(), "localhost".into()];
        let params = CertificateParams::new(names).expect("names");
        let key = KeyPair::generate().expect("random bytes");
        let leaf = params.signed_by(&key, &self.0).expect("the parameters agree");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("ring knows them").with_no_client_auth();
        let mut config = builder.with_single_cert(vec![leaf.der().clone()], key).expect("its own key");
        if resumption {
            // Without state, so that no cache of the server's can be too small.
            config.ticketer = rustls::crypto::ring::Ticketer::new().expect("random bytes");
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Arc::new(config)
    }
}

pub fn accept(config: Arc<ServerConfig>, stream: TcpStream) -> impl Peer {
    let connection = ServerConnection::new(config).expect("a valid configuration");
    StreamOwned::new(connection, stream)
}

impl Peer for StreamOwned<ServerConnection, TcpStream> {
    fn begin(&mut self) -> io::Result<Option<bool>> {
        while self.conn.is_handshaking() {
            self.conn.complete_io(&mut self.sock)?;
        }
        Ok(Some(self.conn.handshake_kind() == Some(HandshakeKind::Resumed)))
    }

    fn end(&mut self) {
        self.conn.send_close_notify();
        while self.conn.wants_write() && self.conn.write_tls(&mut self.sock).is_ok() {}
    }
}
