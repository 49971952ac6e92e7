//! Certificates and TLS servers for tests.
//!
//! Each test binary uses a part of this.
#![allow(dead_code)]

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use hostpool::{ConnectionPool, ConnectionPoolBuilder, TlsConfig};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{
    ConnectionTrafficSecrets, ContentType, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection,
    SupportedCipherSuite, SupportedProtocolVersion,
};

use crate::support::read_request;

/// A certificate authority of the test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "hostpool test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn der(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    /// A configuration that trusts this authority alone.
    pub fn trusted(&self) -> TlsConfig {
        TlsConfig::builder().root_der(self.der()).build().unwrap()
    }

    /// A configuration that trusts this authority, and is another one than every other.
    pub fn trusted_otherwise(&self) -> TlsConfig {
        TlsConfig::builder().root_der(self.der()).root_der(Authority::new().der()).build().unwrap()
    }

    /// An authority whose certificate this one has issued.
    pub fn intermediate(&self, name: &str) -> Authority {
        self.intermediate_with(name, |_| ())
    }

    /// The same, with what else the test wants of its certificate.
    pub fn intermediate_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        Authority(CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &*self.0).unwrap())
    }

    /// A certificate for these names.
    pub fn leaf(&self, names: &[SanType]) -> Leaf {
        self.leaf_with(names, |_| ())
    }

    /// A certificate for these names, with what else the test wants of it.
    pub fn leaf_with(&self, names: &[SanType], change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Leaf { certificate: params.signed_by(&key, &*self.0).unwrap(), key, sent: Vec::new() }
    }

    /// A list of the revoked serial numbers, of one year and valid until another, in PEM.
    pub fn revoked(&self, serials: &[u8], (from, until): (i32, i32)) -> String {
        let revoked = |serial: &u8| rcgen::RevokedCertParams {
            serial_number: rcgen::SerialNumber::from(vec![*serial]),
            revocation_time: rcgen::date_time_ymd(2001, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(from, 1, 1),
            next_update: rcgen::date_time_ymd(until, 1, 1),
            crl_number: rcgen::SerialNumber::from(vec![1]),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }

    /// A server's configuration with a certificate for 127.0.0.1 and localhost.
    pub fn server(&self) -> ServerConfig {
        self.leaf(&[ip("127.0.0.1"), dns("localhost")]).server(rustls::ALL_VERSIONS)
    }
}

/// A server's certificate and its key.
pub struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
    /// The certificates that are sent after it.
    sent: Vec<CertificateDer<'static>>,
}

impl Leaf {
    /// A certificate that is signed by its own key.
    pub fn self_signed(names: &[SanType], change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Leaf { certificate: params.self_signed(&key).unwrap(), key, sent: Vec::new() }
    }

    /// The same, with the certificate of an authority sent after it.
    pub fn with(mut self, authority: &Authority) -> Leaf {
        self.sent.push(authority.der().into());
        self
    }

    /// The same certificate with a key that does not belong to it.
    pub fn with_another_key(mut self) -> Leaf {
        self.key = KeyPair::generate().unwrap();
        self
    }

    pub fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }

    /// The public key with its algorithm.
    pub fn public_key(&self) -> Vec<u8> {
        rcgen::PublicKeyData::subject_public_key_info(&self.key)
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }

    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    pub fn server(&self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        self.server_for(versions, None)
    }

    /// A server's configuration that asks for a client certificate, if there is a verifier for it.
    pub fn server_for(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        clients: Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>,
    ) -> ServerConfig {
        let mut chain: Vec<CertificateDer<'static>> = vec![self.certificate.der().clone()];
        chain.extend(self.sent.clone());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = provider.key_provider.load_private_key(key).unwrap();
        // The key may be another one than that of the certificate.
        let certified = rustls::sign::CertifiedKey::new(chain, key);
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(clients),
        };
        let resolver = rustls::sign::SingleCertAndKey::from(certified);
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.enable_secret_extraction = true;
        config
    }
}

pub fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

pub fn ip(address: &str) -> SanType {
    SanType::IpAddress(address.parse::<IpAddr>().unwrap())
}

/// Asks clients for a certificate that one of these authorities has issued.
pub fn clients_of(authority: &Authority) -> Arc<dyn rustls::server::danger::ClientCertVerifier> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap()
}

/// What a [`TlsServer`] saw.
#[derive(Debug, Default)]
pub struct Seen {
    accepted: AtomicUsize,
    /// Of each connection.
    hellos: Mutex<Vec<Hello>>,
    /// Of each connection whose handshake ended.
    handshakes: Mutex<Vec<HandshakeKind>>,
    /// Whole requests, with the number of their connection.
    requests: Mutex<Vec<(usize, Vec<u8>)>>,
    /// How connections ended that ended otherwise than by a goodbye.
    errors: Mutex<Vec<String>>,
}

impl Seen {
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn hellos(&self) -> Vec<Hello> {
        self.hellos.lock().unwrap().clone()
    }

    pub fn handshakes(&self) -> Vec<HandshakeKind> {
        self.handshakes.lock().unwrap().clone()
    }

    pub fn errors(&self) -> Vec<String> {
        self.errors.lock().unwrap().clone()
    }

    pub fn requests(&self) -> Vec<(usize, Vec<u8>)> {
        self.requests.lock().unwrap().clone()
    }
}

/// A TLS server on loopback that hands each connection, behind its handshake, to a function.
pub struct TlsServer {
    pub addr: SocketAddr,
    pub seen: Arc<Seen>,
}

impl TlsServer {
    pub fn new(config: ServerConfig, serve: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static) -> TlsServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (config, serve) = (Arc::new(config), Arc::new(serve));
        thread::spawn({
            let seen = seen.clone();
            move || {
                for tcp in listener.incoming().flatten() {
                    let number = seen.accepted.fetch_add(1, Ordering::SeqCst);
                    let (config, serve, seen) = (config.clone(), serve.clone(), seen.clone());
                    thread::spawn(move || {
                        if let Err(error) = accept(config, number, tcp, &seen).and_then(|mut peer| serve(&mut peer)) {
                            seen.errors.lock().unwrap().push(error.to_string());
                        }
                    });
                }
            }
        });
        TlsServer { addr, seen }
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.addr)
    }

    /// Every connection is looked at before it is used again.
    pub fn pool(&self, tls: &TlsConfig) -> ConnectionPool {
        self.builder(tls).build().unwrap()
    }

    pub fn builder(&self, tls: &TlsConfig) -> ConnectionPoolBuilder {
        ConnectionPool::builder(self.url())
            .retries(hostpool::Retry::off())
            .tls(tls.clone())
            .probe_after(std::time::Duration::ZERO)
    }
}

fn accept(config: Arc<ServerConfig>, number: usize, tcp: TcpStream, seen: &Arc<Seen>) -> io::Result<Peer> {
    seen.hellos.lock().unwrap().push(Hello::peek(&tcp)?);
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut peer = Peer { number, tls, tcp, seen: seen.clone() };
    peer.handshake()?;
    Ok(peer)
}

/// The server's end of one connection. Dropping it closes the socket without a goodbye.
pub struct Peer {
    pub number: usize,
    pub tls: ServerConnection,
    pub tcp: TcpStream,
    seen: Arc<Seen>,
}

impl Peer {
    fn handshake(&mut self) -> io::Result<()> {
        while self.tls.is_handshaking() {
            self.receive()?;
            self.flush()?;
        }
        self.seen.handshakes.lock().unwrap().push(self.tls.handshake_kind().expect("the handshake is over"));
        Ok(())
    }

    /// False at the end of the stream.
    fn receive(&mut self) -> io::Result<bool> {
        let received = self.tls.read_tls(&mut self.tcp)?;
        let processed = self.tls.process_new_packets().map_err(io::Error::other);
        if processed.is_err() {
            let _ = self.flush();
        }
        match (processed?, received) {
            (_, 0) if self.tls.is_handshaking() => Err(io::ErrorKind::UnexpectedEof.into()),
            (_, received) => Ok(received > 0),
        }
    }

    /// Reads one request: head, and body by Content-Length.
    pub fn request(&mut self) -> io::Result<Vec<u8>> {
        let request = read_request(self)?;
        self.seen.requests.lock().unwrap().push((self.number, request.clone()));
        Ok(request)
    }

    /// The records of what was not sent yet, and of this.
    pub fn seal(&mut self, plaintext: &[u8]) -> Vec<u8> {
        self.tls.set_buffer_limit(None);
        self.tls.writer().write_all(plaintext).unwrap();
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records).unwrap();
        }
        records
    }

    pub fn flush(&mut self) -> io::Result<()> {
        let records = self.seal(b"");
        self.tcp.write_all(&records)
    }

    /// Sends this in records of its own.
    pub fn send(&mut self, plaintext: impl AsRef<[u8]>) -> io::Result<()> {
        let records = self.seal(plaintext.as_ref());
        self.tcp.write_all(&records)
    }

    /// Says goodbye, and leaves the socket open.
    pub fn goodbye(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.flush()
    }

    /// Says goodbye and ends our side of the socket, and reads what still comes: a reset could overtake the answer.
    pub fn close(&mut self) -> io::Result<()> {
        self.goodbye()?;
        self.tcp.shutdown(Shutdown::Write)?;
        self.until_closed()
    }

    /// Waits until the client closes.
    pub fn until_closed(&mut self) -> io::Result<()> {
        let mut rest = [0; 16 * 1024];
        while self.tcp.read(&mut rest)? > 0 {}
        Ok(())
    }

    /// From here on records are made by hand.
    pub fn forge(&mut self) -> Forger {
        let unused = ServerConnection::new(Arc::new(Authority::new().server())).unwrap();
        let tls = std::mem::replace(&mut self.tls, unused);
        let Some(SupportedCipherSuite::Tls13(suite)) = tls.negotiated_cipher_suite() else { panic!("not TLS 1.3") };
        let (sequence, secrets) = tls.dangerous_extract_secrets().unwrap().tx;
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            panic!("an unknown cipher")
        };
        Forger { encrypter: suite.aead_alg.encrypter(key, iv), sequence }
    }
}

impl Read for Peer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            self.receive()?;
            self.flush()?;
        }
    }
}

/// Encrypts what rustls would not send.
pub struct Forger {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Forger {
    pub fn record(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let payload = OutboundChunks::Single(payload);
        let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload };
        self.sequence += 1;
        self.encrypter.encrypt(message, self.sequence - 1).unwrap().encode()
    }
}

/// What a ClientHello says, byte for byte (RFC 8446, section 4.1.2).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hello {
    pub server_name: Option<String>,
    pub alpn: Vec<String>,
}

impl Hello {
    /// The hello is small and leaves in one piece, so that it is there at once.
    fn peek(tcp: &TcpStream) -> io::Result<Hello> {
        let mut bytes = [0; 4096];
        let len = tcp.peek(&mut bytes)?;
        Hello::parse(&bytes[..len]).ok_or_else(|| io::Error::other("no ClientHello"))
    }

    fn parse(record: &[u8]) -> Option<Hello> {
        // Record and handshake headers, version and random.
        let mut rest = record.get(5 + 4 + 2 + 32..)?;
        take(&mut rest, 1)?;
        take(&mut rest, 2)?;
        take(&mut rest, 1)?;
        let mut extensions = take(&mut rest, 2)?;
        let mut hello = Hello::default();
        while let Some((kind, rest)) = extensions.split_at_checked(2) {
            extensions = rest;
            let mut data = take(&mut extensions, 2)?;
            match kind {
                [0, 0] => {
                    let mut name = take(&mut data, 2)?.get(1..)?;
                    hello.server_name = Some(String::from_utf8(take(&mut name, 2)?.to_vec()).ok()?);
                }
                [0, 16] => {
                    let mut list = take(&mut data, 2)?;
                    while !list.is_empty() {
                        hello.alpn.push(String::from_utf8(take(&mut list, 1)?.to_vec()).ok()?);
                    }
                }
                _ => {}
            }
        }
        Some(hello)
    }
}

/// A vector with its length in so many bytes in front.
fn take<'a>(rest: &mut &'a [u8], prefix: usize) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_at_checked(prefix)?;
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let (taken, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

/// A server's configuration that resumes no session, so that nothing but the handshake's messages is sent.
pub fn without_tickets(mut config: ServerConfig) -> ServerConfig {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}
