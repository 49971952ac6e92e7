//! One request and its answer on a connection, through buffers that are used again.

use std::io::{Read, Write};
use std::mem::MaybeUninit;

use bench_common::Source;
use httparse::{Header, ParserConfig, Response, Status};

use crate::Stream;

/// Bytes of one `send` of a body.
const PIECE: usize = 128 * 1024;

/// The size of a chunk and its line ends in front of the data, as so many digits of hexadecimal.
const SIZE_LINE: usize = 8;

#[derive(Clone, Copy)]
pub enum Framing {
    Length(u64),
    Chunked,
}

pub struct Exchange {
    output: Vec<u8>,
    input: Vec<u8>,
    /// Of the input: read, and taken.
    filled: usize,
    taken: usize,
    framing: Framing,
    keeps: bool,
}

impl Exchange {
    pub fn new() -> Self {
        let input = vec![0; 16 * 1024];
        Exchange { output: Vec::new(), input, filled: 0, taken: 0, framing: Framing::Length(0), keeps: true }
    }

    pub fn keeps(&self) -> bool {
        self.keeps
    }

    pub fn framing(&self) -> Framing {
        self.framing
    }

    fn write_head(&mut self, method: &str, host: &str, path: &str, more: &str) {
        self.output.clear();
        let fields = "\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nUser-Agent: floor/0.1.0";
        for part in [method, path, " HTTP/1.1\r\nHost: ", host, fields, more, "\r\n\r\n"] {
            self.output.extend_from_slice(part.as_bytes());
        }
    }

    pub fn send(&mut self, stream: &mut Stream, host: &str, path: &str) {
        self.write_head("GET ", host, path, "");
        stream.write_all(&self.output).expect("the server reads");
    }

    pub fn upload(&mut self, stream: &mut Stream, host: &str, path: &str, mut source: Source, length: Option<u64>) {
        let framing = length.map_or("\r\nTransfer-Encoding: chunked".into(), |n| format!("\r\nContent-Length: {n}"));
        self.write_head("POST ", host, path, &framing);
        // The first piece goes out with the head. Nothing is cleared that is about to be overwritten.
        let mut start = self.output.len();
        self.output.resize(start + SIZE_LINE + PIECE + 2, 0);
        loop {
            let data = start + if length.is_none() { SIZE_LINE } else { 0 };
            let read = source.read(&mut self.output[data..data + PIECE]).expect("memory");
            let mut end = data + read;
            if length.is_none() {
                let mut line = &mut self.output[start..data];
                write!(line, "{read:0digits$x}\r\n", digits = SIZE_LINE - 2).expect("room");
                self.output[end..end + 2].copy_from_slice(b"\r\n");
                end += 2;
            }
            stream.write_all(&self.output[..end]).expect("the server reads");
            start = 0;
            if read == 0 {
                return;
            }
        }
    }

    /// Reads the head and shows its fields.
    pub fn head<T>(&mut self, stream: &mut Stream, look: impl FnOnce(&[Header<'_>]) -> T) -> T {
        self.filled = 0;
        loop {
            let read = stream.read(&mut self.input[self.filled..]).expect("the server answers");
            assert_ne!(read, 0, "the connection ended");
            self.filled += read;
            let mut fields = [const { MaybeUninit::uninit() }; 64];
            let mut response = Response::new(&mut []);
            let input = &self.input[..self.filled];
            let parser = ParserConfig::default();
            let status = parser.parse_response_with_uninit_headers(&mut response, input, &mut fields);
            let Status::Complete(end) = status.expect("a response") else { continue };
            assert_eq!(response.code, Some(200));
            (self.taken, self.keeps, self.framing) = (end, true, Framing::Length(0));
            for field in response.headers.iter() {
                match field.name.len() {
                    10 if field.name.eq_ignore_ascii_case("connection") => self.keeps = field.value != b"close",
                    14 if field.name.eq_ignore_ascii_case("content-length") => {
                        let digits = field.value.iter();
                        let length = digits.fold(0, |length, digit| length * 10 + u64::from(digit - b'0'));
                        self.framing = Framing::Length(length);
                    }
                    17 if field.name.eq_ignore_ascii_case("transfer-encoding") => self.framing = Framing::Chunked,
                    _ => {}
                }
            }
            return look(response.headers);
        }
    }

    /// Reads a body with a length into the caller's buffer.
    pub fn body(&mut self, stream: &mut Stream, body: &mut [u8]) -> usize {
        let Framing::Length(length) = self.framing else { panic!("a length") };
        let body = &mut body[..length as usize];
        let at_hand = (self.filled - self.taken).min(body.len());
        body[..at_hand].copy_from_slice(&self.input[self.taken..][..at_hand]);
        stream.read_exact(&mut body[at_hand..]).expect("the body arrives");
        body.len()
    }

    /// Reads a body with a length piece by piece.
    pub fn drain(&mut self, stream: &mut Stream, length: u64, piece: &mut [u8]) -> u64 {
        let at_hand = self.filled - self.taken;
        piece[..at_hand].copy_from_slice(&self.input[self.taken..self.filled]);
        let mut left = length - at_hand as u64;
        while left > 0 {
            let len = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = stream.read(&mut piece[..len]).expect("the body arrives");
            assert_ne!(read, 0, "the connection ended");
            left -= read as u64;
        }
        length
    }

    /// Reads a chunked body piece by piece and goes from chunk to chunk where the bytes are: nothing is moved.
    pub fn drain_chunks(&mut self, stream: &mut Stream, piece: &mut [u8]) -> u64 {
        let mut filled = self.filled - self.taken;
        piece[..filled].copy_from_slice(&self.input[self.taken..self.filled]);
        let (mut taken, mut total) = (0, 0);
        loop {
            // A line of a size, with the end of the chunk before it.
            let line = piece[taken..filled].iter().position(|byte| *byte == b'\n').map(|end| taken + end + 1);
            let Some(end) = line else {
                piece.copy_within(taken..filled, 0);
                (filled, taken) = (filled - taken, 0);
                filled += read_some(stream, &mut piece[filled..]);
                continue;
            };
            let size = piece[taken..end - 2].iter().fold(0, |size, digit| {
                size * 16 + (*digit as char).to_digit(16).expect("a digit of hexadecimal") as usize
            });
            taken = end;
            total += size as u64;
            // The data and the line end after it.
            let mut left = size + 2;
            while left > filled - taken {
                left -= filled - taken;
                (filled, taken) = (read_some(stream, piece), 0);
            }
            taken += left;
            if size == 0 {
                return total;
            }
        }
    }
}

impl Default for Exchange {
    fn default() -> Self {
        Exchange::new()
    }
}

fn read_some(stream: &mut Stream, buf: &mut [u8]) -> usize {
    let read = stream.read(buf).expect("the body arrives");
    assert_ne!(read, 0, "the connection ended");
    read
}
