//! ureq: an `Agent`, which keeps every connection it opened.

use std::fs;
use std::io::Read;

use bench_common::{Client, Fields, Setup, Source, Via, Workload};
use ureq::config::Config;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

fn main() {
    bench_common::main::<Ureq>();
}

struct Ureq(Agent);

impl Client for Ureq {
    const NAME: &'static str = "ureq";
    type Handle<'a> = Handle;

    fn new(setup: &Setup) -> Self {
        let config = Config::builder().proxy(None).max_idle_connections(10_000).max_idle_connections_per_host(10_000);
        let mut config = config.accept_encoding(if setup.gzip { "gzip" } else { "identity" });
        if let Some(root) = &setup.root {
            let pem = fs::read(root).expect("the server wrote it");
            let root = RootCerts::from([Certificate::from_pem(&pem).expect("a certificate")]);
            config = config.tls_config(TlsConfig::builder().root_certs(root).build());
        }
        if let bound @ Some(_) = setup.bound {
            config = config.timeout_global(bound).timeout_connect(bound).timeout_send_request(bound);
            config = config.timeout_send_body(bound).timeout_recv_response(bound).timeout_recv_body(bound);
        }
        Ureq(config.build().new_agent())
    }

    fn handle(&self) -> Handle {
        Handle(self.0.clone())
    }

    fn excuse(workload: &Workload) -> Option<&'static str> {
        match workload {
            Workload { limit: Some(_), .. } => Some("has no limit that waits"),
            Workload { hosts: 1000.., .. } => Some("quadratic in the hosts: 8 ms a request"),
            Workload { via: Via::Unix, .. } => Some("has no Unix sockets"),
            _ => None,
        }
    }
}

struct Handle(Agent);

impl Handle {
    fn send(&self, url: &str) -> Response<Body> {
        let response = self.0.get(url).call().expect("the server answers");
        assert_eq!(response.status(), 200);
        response
    }
}

/// Reads a small body to its end.
fn read(response: Response<Body>, body: &mut [u8]) -> usize {
    let mut reader = response.into_body().into_reader();
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
        self.send(url).into_body().read_to_vec().expect("the body arrives")
    }

    fn get_fields(&mut self, url: &str, name: &str, body: &mut [u8]) -> Fields {
        let response = self.send(url);
        let value = response.headers()[name].to_str().expect("text").to_owned();
        Fields { count: response.headers().len(), value, body: read(response, body) }
    }

    fn open(&mut self, url: &str, connections: usize) {
        // A connection is in use until its body was read.
        let open: Vec<_> = (0..connections).map(|_| self.send(url)).collect();
        open.into_iter().for_each(|response| drop(response.into_body().read_to_vec().expect("the body arrives")));
    }

    fn download(&mut self, url: &str, piece: &mut [u8]) -> u64 {
        let mut reader = self.send(url).into_body().into_reader();
        let mut total = 0;
        while let read @ 1.. = reader.read(piece).expect("the body arrives") {
            total += read as u64;
        }
        total
    }

    fn upload(&mut self, url: &str, source: Source, length: Option<u64>) -> Vec<u8> {
        let mut request = self.0.post(url);
        if let Some(length) = length {
            request = request.header("Content-Length", length.to_string());
        }
        let response = request.send(SendBody::from_owned_reader(source)).expect("the server answers");
        assert_eq!(response.status(), 200);
        response.into_body().read_to_vec().expect("the body arrives")
    }

    fn json(&mut self, url: &str) -> serde_json::Value {
        self.send(url).into_body().read_json().expect("JSON")
    }
}
