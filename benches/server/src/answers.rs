//! What the server says, made once.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// What a large body is written in, and what its length is a multiple of.
pub const SLAB: usize = 256 * 1024;

const CHUNK: usize = 16 * 1024;

const COMMON: &str = "Server: bench\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\nX-D: 4\r\n";

pub struct Answers {
    /// 8 fields and 100 bytes.
    pub small: Vec<u8>,
    /// The same, and the connection ends; as many fields, too.
    pub close: Vec<u8>,
    /// 60 fields and 100 bytes.
    pub fields: Vec<u8>,
    /// 100 KiB of text, compressed.
    pub gzip: Vec<u8>,
    /// 2 KiB of JSON.
    pub json: Vec<u8>,
    /// A piece of a body with a length.
    pub slab: Vec<u8>,
    /// The same with the framing of its chunks.
    pub chunks: Vec<u8>,
}

impl Answers {
    pub fn new() -> Answers {
        let body = [b'x'; 100];
        let many: String = (0..58).map(|n| format!("X-Header-Number-{n:02}: the value of field {n:02}\r\n")).collect();
        let text = text(100 * 1024);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&text).expect("memory");
        let compressed = encoder.finish().expect("memory");
        let mut chunks = Vec::new();
        for _ in 0..SLAB / CHUNK {
            chunks.extend_from_slice(format!("{CHUNK:x}\r\n").as_bytes());
            chunks.resize(chunks.len() + CHUNK, b'x');
            chunks.extend_from_slice(b"\r\n");
        }
        Answers {
            small: answer(&format!("{COMMON}Content-Type: text/plain\r\n"), &body),
            close: answer(&format!("{COMMON}Connection: close\r\n"), &body),
            fields: answer(&format!("{many}Content-Type: text/plain\r\n"), &body),
            gzip: answer(&format!("{COMMON}Content-Type: text/plain\r\nContent-Encoding: gzip\r\n"), &compressed),
            json: answer(&format!("{COMMON}Content-Type: application/json\r\n"), &json()),
            slab: vec![b'x'; SLAB],
            chunks,
        }
    }
}

/// Eight fields with [`COMMON`]: those six, one more and the length.
pub fn answer(fields: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// The head in front of a large body.
pub fn large(length: Option<u64>) -> String {
    let framing = length.map_or("Transfer-Encoding: chunked".into(), |length| format!("Content-Length: {length}"));
    format!("HTTP/1.1 200 OK\r\n{COMMON}Content-Type: text/plain\r\n{framing}\r\n\r\n")
}

/// Words in no order, which compress about as well as prose.
fn text(length: usize) -> Vec<u8> {
    let words = ["connection", "the", "of", "pool", "a", "request", "is", "host", "waits", "for", "answer", "and"];
    let mut state = 1_u32;
    let mut text = Vec::with_capacity(length + 16);
    while text.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend_from_slice(words[(state >> 16) as usize % words.len()].as_bytes());
        text.extend_from_slice(format!("{} ", (state >> 8) & 0xf).as_bytes());
    }
    text.truncate(length);
    text
}

/// Exactly 2 KiB: a list of records, padded.
fn json() -> Vec<u8> {
    let records: Vec<String> = (0..16)
        .map(|n| {
            format!(
                r#"{{"id":{n},"name":"record number {n}","score":{n}.5,"tags":["red","green","blue"],"live":true}}"#
            )
        })
        .collect();
    let mut json = format!(r#"{{"records":[{}],"padding":""#, records.join(",")).into_bytes();
    json.resize(2048 - 2, b'x');
    json.extend_from_slice(b"\"}");
    json
}
