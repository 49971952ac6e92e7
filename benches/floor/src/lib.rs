//! The least that a client can do: the yardstick of the others.
//!
//! One send and one receive, buffers that are used again, httparse, the status checked, the body handed out. It trusts
//! the server in all else: this is no client to use.

mod exchange;
mod stream;

use std::io::Read;
use std::sync::Arc;

use bench_common::{Fields, Setup, Source};
use flate2::read::GzDecoder;
use rustls::ClientConfig;

pub use exchange::Exchange;
use exchange::Framing;
pub use stream::{Dialer, Stream};

/// Where connections come from and go back to: what the two yardsticks differ in.
pub trait Connections {
    fn take(&mut self, scheme: &str, host: &str) -> Stream;
    fn put(&mut self, host: &str, stream: Stream);
    /// This connection has ended.
    fn end(&mut self, host: &str, stream: Stream);
}

struct Url<'a> {
    scheme: &'a str,
    host: &'a str,
    path: &'a str,
}

impl Url<'_> {
    /// Inlined: a call costs 90 instructions, and the yardstick is the least there can be.
    #[inline(always)]
    fn parse(url: &str) -> Url<'_> {
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (host, path) = rest.split_at(rest.find('/').expect("a path"));
        Url { scheme, host, path }
    }
}

/// A thread's client: its connections and its buffers.
pub struct Floor<C> {
    connections: C,
    exchange: Exchange,
}

impl<C: Connections> Floor<C> {
    pub fn new(connections: C) -> Self {
        Floor { connections, exchange: Exchange::new() }
    }

    /// Sends a request, gives the exchange with its head read to `take`, and gives the connection back.
    fn with<T>(&mut self, url: &str, work: impl FnOnce(&mut Exchange, &mut Stream, &str, &str) -> T) -> T {
        let Url { scheme, host, path } = Url::parse(url);
        let mut stream = self.connections.take(scheme, host);
        let result = work(&mut self.exchange, &mut stream, host, path);
        if self.exchange.keeps() {
            self.connections.put(host, stream);
        } else {
            self.connections.end(host, stream);
        }
        result
    }
}

impl<C: Connections> bench_common::Handle for Floor<C> {
    fn get(&mut self, url: &str, body: &mut [u8]) -> usize {
        self.with(url, |exchange, stream, host, path| {
            exchange.send(stream, host, path);
            exchange.head(stream, |_| ());
            exchange.body(stream, body)
        })
    }

    fn get_vec(&mut self, url: &str) -> Vec<u8> {
        self.with(url, |exchange, stream, host, path| {
            exchange.send(stream, host, path);
            let gzip = exchange.head(stream, |fields| fields.iter().any(|field| field.name == "Content-Encoding"));
            let Framing::Length(length) = exchange.framing() else { panic!("a length") };
            let mut body = vec![0; length as usize];
            let len = exchange.body(stream, &mut body);
            assert_eq!(len, body.len());
            if !gzip {
                return body;
            }
            // The trailer says how much comes out.
            let size = body.last_chunk().map_or(0, |size| u32::from_le_bytes(*size));
            let mut text = Vec::with_capacity(size as usize + 32);
            GzDecoder::new(&*body).read_to_end(&mut text).expect("gzip");
            text
        })
    }

    fn get_fields(&mut self, url: &str, name: &str, body: &mut [u8]) -> Fields {
        self.with(url, |exchange, stream, host, path| {
            exchange.send(stream, host, path);
            let (count, value) = exchange.head(stream, |fields| {
                let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).expect("the field");
                (fields.len(), String::from_utf8_lossy(field.value).into_owned())
            });
            Fields { count, value, body: exchange.body(stream, body) }
        })
    }

    fn open(&mut self, url: &str, connections: usize) {
        let Url { scheme, host, path } = Url::parse(url);
        let exchange = &mut self.exchange;
        let mut use_one = || {
            let mut stream = self.connections.take(scheme, host);
            exchange.send(&mut stream, host, path);
            exchange.head(&mut stream, |_| ());
            exchange.body(&mut stream, &mut [0; 1024]);
            stream
        };
        let open: Vec<_> = (0..connections).map(|_| use_one()).collect();
        open.into_iter().for_each(|stream| self.connections.put(host, stream));
    }

    fn download(&mut self, url: &str, piece: &mut [u8]) -> u64 {
        self.with(url, |exchange, stream, host, path| {
            exchange.send(stream, host, path);
            exchange.head(stream, |_| ());
            match exchange.framing() {
                Framing::Length(length) => exchange.drain(stream, length, piece),
                Framing::Chunked => exchange.drain_chunks(stream, piece),
            }
        })
    }

    fn upload(&mut self, url: &str, source: Source, length: Option<u64>) -> Vec<u8> {
        self.with(url, |exchange, stream, host, path| {
            exchange.upload(stream, host, path, source, length);
            exchange.head(stream, |_| ());
            let mut answer = vec![0; 64];
            let len = exchange.body(stream, &mut answer);
            answer.truncate(len);
            answer
        })
    }
}

/// What a client with this setup dials with.
pub fn dialer(setup: &Setup) -> Dialer {
    let tls = setup.root.as_ref().map(|root| {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(root).expect("a certificate")).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        Arc::new(builder.expect("ring knows them").with_root_certificates(roots).with_no_client_auth())
    });
    Dialer { tls, unix: setup.unix.clone(), bound: setup.bound }
}
