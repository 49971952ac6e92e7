//! libcurl, static, by the curl crate: an `Easy` handle a thread, each with connections of its own.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use bench_common::{Client, Fields, Setup, Source, Work, Workload};
use curl::easy::{Easy, List};

fn main() {
    bench_common::main::<Curl>();
}

struct Curl {
    root: Option<PathBuf>,
    bound: Option<Duration>,
    unix: Option<PathBuf>,
    gzip: bool,
}

impl Client for Curl {
    const NAME: &'static str = "curl";
    type Handle<'a> = Handle;

    fn new(setup: &Setup) -> Self {
        Curl { root: setup.root.clone(), bound: setup.bound, unix: setup.unix.clone(), gzip: setup.gzip }
    }

    fn handle(&self) -> Handle {
        let make = || {
            let mut easy = Easy::new();
            easy.proxy("")?;
            easy.signal(false)?;
            easy.max_connects(10_000)?;
            if let Some(root) = &self.root {
                easy.cainfo(root)?;
            }
            if let Some(bound) = self.bound {
                easy.timeout(bound)?;
                easy.connect_timeout(bound)?;
            }
            if let Some(path) = &self.unix {
                easy.unix_socket_path(Some(path))?;
            }
            if self.gzip {
                easy.accept_encoding("gzip")?;
            }
            Ok::<Easy, curl::Error>(easy)
        };
        Handle(make().expect("options that libcurl knows"))
    }

    fn excuse(workload: &Workload) -> Option<&'static str> {
        match workload {
            Workload { limit: Some(_), .. } => Some("has no limit that waits"),
            Workload { threads: 200.., .. } | Workload { hosts: 1001.., .. } => {
                Some("the crate's select() ends at 1,024 descriptors")
            }
            Workload { work: Work::Idle, .. } | Workload { idle: 1.., .. } => {
                Some("a handle a connection: no shared client to measure")
            }
            _ => None,
        }
    }
}

struct Handle(Easy);

/// What is done with a line of a head.
type Look<'a> = &'a mut dyn FnMut(&[u8]);

impl Handle {
    /// GETs, hands each piece of the body to `piece`, and each line of the head to `line`.
    fn send(&mut self, url: &str, mut piece: impl FnMut(&[u8]), mut line: Option<Look<'_>>) {
        self.0.url(url).expect("a URL");
        let mut transfer = self.0.transfer();
        let write = |bytes: &[u8]| {
            piece(bytes);
            Ok(bytes.len())
        };
        transfer.write_function(write).expect("a callback");
        if let Some(line) = &mut line {
            let look = |bytes: &[u8]| {
                line(bytes);
                true
            };
            transfer.header_function(look).expect("a callback");
        }
        transfer.perform().expect("the server answers");
        drop(transfer);
        assert_eq!(self.0.response_code(), Ok(200));
    }
}

impl bench_common::Handle for Handle {
    fn get(&mut self, url: &str, body: &mut [u8]) -> usize {
        let mut len = 0;
        let copy = |bytes: &[u8]| {
            body[len..][..bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
        };
        self.send(url, copy, None);
        len
    }

    fn get_vec(&mut self, url: &str) -> Vec<u8> {
        let mut body = Vec::new();
        self.send(url, |bytes| body.extend_from_slice(bytes), None);
        body
    }

    fn get_fields(&mut self, url: &str, name: &str, body: &mut [u8]) -> Fields {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut look = |line: &[u8]| {
            if let Some((name, value)) = String::from_utf8_lossy(line).split_once(':') {
                fields.push((name.to_owned(), value.trim().to_owned()));
            }
        };
        let mut len = 0;
        let copy = |bytes: &[u8]| {
            body[len..][..bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
        };
        self.send(url, copy, Some(&mut look));
        let (_, value) = fields.iter().find(|field| field.0.eq_ignore_ascii_case(name)).expect("the field");
        Fields { count: fields.len(), value: value.clone(), body: len }
    }

    /// libcurl hands out its own buffer, so the caller's is not used.
    fn download(&mut self, url: &str, piece: &mut [u8]) -> u64 {
        self.0.buffer_size(piece.len()).expect("an option");
        let mut total = 0;
        self.send(url, |bytes| total += bytes.len() as u64, None);
        total
    }

    fn upload(&mut self, url: &str, mut source: Source, length: Option<u64>) -> Vec<u8> {
        let mut fields = List::new();
        // Without this it would ask before it sends.
        fields.append("Expect:").expect("a field");
        if length.is_none() {
            fields.append("Transfer-Encoding: chunked").expect("a field");
        }
        let easy = &mut self.0;
        easy.http_headers(fields).expect("fields");
        easy.upload(true).expect("an option");
        easy.upload_buffer_size(128 * 1024).expect("an option");
        if let Some(length) = length {
            easy.in_filesize(length).expect("an option");
        }
        easy.url(url).expect("a URL");
        let mut answer = Vec::new();
        let mut transfer = easy.transfer();
        transfer.read_function(|buf| Ok(source.read(buf).expect("memory"))).expect("a callback");
        let write = |bytes: &[u8]| {
            answer.extend_from_slice(bytes);
            Ok(bytes.len())
        };
        transfer.write_function(write).expect("a callback");
        transfer.perform().expect("the server answers");
        drop(transfer);
        assert_eq!(self.0.response_code(), Ok(200));
        answer
    }
}
