//! reqwest's blocking client, with rustls and ring as this crate has them.

use std::fs;
use std::io::Read;

use bench_common::{Client, Fields, Setup, Source, Workload};
use reqwest::Certificate;
use reqwest::blocking::{Body, Response};

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the first one");
    bench_common::main::<Reqwest>();
}

struct Reqwest(reqwest::blocking::Client);

impl Client for Reqwest {
    const NAME: &'static str = "reqwest";
    type Handle<'a> = Handle;

    fn new(setup: &Setup) -> Self {
        let mut client = reqwest::blocking::Client::builder().no_proxy().gzip(setup.gzip);
        // Without a root, one that is never asked: the system's verifier is not made.
        client = match &setup.root {
            None => client.tls_certs_only([]),
            Some(root) => {
                let pem = fs::read(root).expect("the server wrote it");
                client.tls_certs_only([Certificate::from_pem(&pem).expect("a certificate")])
            }
        };
        if let Some(bound) = setup.bound {
            client = client.timeout(bound).connect_timeout(bound);
        }
        if let Some(path) = &setup.unix {
            client = client.unix_socket(path.as_path());
        }
        Reqwest(client.build().expect("the options agree"))
    }

    fn handle(&self) -> Handle {
        Handle(self.0.clone())
    }

    fn excuse(workload: &Workload) -> Option<&'static str> {
        match workload {
            Workload { limit: Some(_), .. } => Some("has no limit that waits"),
            Workload { idle: 1.., .. } => Some("gives a connection back before its body is read: one opens, not many"),
            _ => None,
        }
    }
}

struct Handle(reqwest::blocking::Client);

impl Handle {
    fn send(&self, url: &str) -> Response {
        let response = self.0.get(url).send().expect("the server answers");
        assert_eq!(response.status(), 200);
        response
    }
}

/// Reads a small body to its end.
fn read(mut response: Response, body: &mut [u8]) -> usize {
    let mut len = 0;
    while let read @ 1.. = response.read(&mut body[len..]).expect("the body arrives") {
        len += read;
    }
    len
}

impl bench_common::Handle for Handle {
    fn get(&mut self, url: &str, body: &mut [u8]) -> usize {
        read(self.send(url), body)
    }

    fn get_vec(&mut self, url: &str) -> Vec<u8> {
        self.send(url).bytes().expect("the body arrives").into()
    }

    fn get_fields(&mut self, url: &str, name: &str, body: &mut [u8]) -> Fields {
        let response = self.send(url);
        let value = response.headers()[name].to_str().expect("text").to_owned();
        Fields { count: response.headers().len(), value, body: read(response, body) }
    }

    fn download(&mut self, url: &str, piece: &mut [u8]) -> u64 {
        let mut response = self.send(url);
        let mut total = 0;
        while let read @ 1.. = response.read(piece).expect("the body arrives") {
            total += read as u64;
        }
        total
    }

    fn upload(&mut self, url: &str, source: Source, length: Option<u64>) -> Vec<u8> {
        let body = match length {
            Some(length) => Body::sized(source, length),
            None => Body::new(source),
        };
        let response = self.0.post(url).body(body).send().expect("the server answers");
        assert_eq!(response.status(), 200);
        response.bytes().expect("the body arrives").into()
    }
}
