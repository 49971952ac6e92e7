//! attohttpc: a `Session`, which opens a connection for each request and keeps none.

use std::io::{self, Read, Write};

use attohttpc::body::{Body, BodyKind};
use attohttpc::{ProxySettings, Response, ResponseReader, Session};
use bench_common::{Client, Fields, Setup, Source, Via, Work, Workload};
use rustls::pki_types::{CertificateDer, pem::PemObject};

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the first one");
    bench_common::main::<Attohttpc>();
}

struct Attohttpc(Session);

impl Client for Attohttpc {
    const NAME: &'static str = "attohttpc";
    const KEEPS_CONNECTIONS: bool = false;
    type Handle<'a> = Handle;

    fn new(setup: &Setup) -> Self {
        let mut session = Session::new();
        session.proxy_settings(ProxySettings::builder().build());
        session.allow_compression(setup.gzip);
        if let Some(root) = &setup.root {
            session.add_root_certificate(CertificateDer::from_pem_file(root).expect("a certificate"));
        }
        if let Some(bound) = setup.bound {
            session.connect_timeout(bound);
            session.read_timeout(bound);
            session.timeout(bound);
        }
        Attohttpc(session)
    }

    fn handle(&self) -> Handle {
        Handle(self.0.clone())
    }

    fn excuse(workload: &Workload) -> Option<&'static str> {
        match workload {
            Workload { via: Via::Tls, work: Work::Close, .. } => Some("resumes no session"),
            // It sends its last flight and its request apart, and leaves Nagle's algorithm on.
            Workload { via: Via::Unresumed, .. } => Some("waits 40 ms each for a delayed acknowledgement"),
            Workload { work: Work::Close | Work::Download { .. } | Work::Upload { .. }, .. } => None,
            _ => Some("keeps no connection"),
        }
    }
}

struct Handle(Session);

impl Handle {
    fn send(&self, url: &str) -> ResponseReader {
        read_status(self.0.get(url).send())
    }
}

fn read_status(response: attohttpc::Result<Response>) -> ResponseReader {
    let (status, _, body) = response.expect("the server answers").split();
    assert_eq!(status, 200);
    body
}

/// Reads a small body to its end.
fn read(mut reader: ResponseReader, body: &mut [u8]) -> usize {
    let mut len = 0;
    while let read @ 1.. = reader.read(&mut body[len..]).expect("the body arrives") {
        len += read;
    }
    len
}

impl bench_common::Handle for Handle {
    fn get(&mut self, url: &str, body: &mut [u8]) -> usize {
        read(self.send(url), body)
    }

    fn get_vec(&mut self, url: &str) -> Vec<u8> {
        self.send(url).bytes().expect("the body arrives")
    }

    fn get_fields(&mut self, url: &str, name: &str, body: &mut [u8]) -> Fields {
        let (status, headers, reader) = self.0.get(url).send().expect("the server answers").split();
        assert_eq!(status, 200);
        let value = headers[name].to_str().expect("text").to_owned();
        Fields { count: headers.len(), value, body: read(reader, body) }
    }

    fn download(&mut self, url: &str, piece: &mut [u8]) -> u64 {
        let mut reader = self.send(url);
        let mut total = 0;
        while let read @ 1.. = reader.read(piece).expect("the body arrives") {
            total += read as u64;
        }
        total
    }

    fn upload(&mut self, url: &str, source: Source, length: Option<u64>) -> Vec<u8> {
        let response = self.0.post(url).body(Upload { source, length }).send();
        read_status(response).bytes().expect("the body arrives")
    }
}

/// A body from a reader, sent as the library's own `File` is.
struct Upload {
    source: Source,
    length: Option<u64>,
}

impl Body for Upload {
    fn kind(&mut self) -> io::Result<BodyKind> {
        Ok(self.length.map_or(BodyKind::Chunked, BodyKind::KnownLength))
    }

    fn write<W: Write>(&mut self, mut writer: W) -> io::Result<()> {
        io::copy(&mut self.source, &mut writer)?;
        Ok(())
    }
}
