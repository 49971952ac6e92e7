//! Content decoding (DEC). What http::coding has in its tables already, or session::redirects, is not here again.
#![cfg(feature = "gzip")]

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use hostpool::{ConnectionPool, Error, ErrorKind, Response};

use crate::support::{GIVE_UP, Server, Step, answers};

/// "foo", by Python's `brotli.compress`.
#[cfg(feature = "brotli")]
const BROTLI: &[u8] = b"\x0B\x01\x80foo\x03";

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[cfg(feature = "zstd")]
fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 3).unwrap()
}

/// Compresses to about the half.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"0123456789abcdef"[(state >> 24) as usize % 16]
    };
    (0..len).map(|_| next()).collect()
}

/// A response by its length, and the same in chunks of two bytes, and of a thousand.
fn framed(coding: &str, data: &[u8]) -> [Vec<u8>; 3] {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n");
    let length = [format!("{head}Content-Length: {}\r\n\r\n", data.len()).as_bytes(), data].concat();
    let chunks = |size| {
        let mut response = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
        for chunk in data.chunks(size) {
            response.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        }
        [&response, &b"0\r\n\r\n"[..]].concat()
    };
    [length, chunks(2), chunks(1000)]
}

/// How a body is asked for.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Just so many bytes each time, as long as there are as many.
    Reads(&'static [usize]),
    /// In pieces of that size.
    Pieces(usize),
    /// So many bytes, and then all the others.
    ThenAll(usize),
}

impl Way {
    /// The pieces that come of it, as far as they come.
    fn read(self, mut response: Response) -> Result<Vec<Vec<u8>>, ErrorKind> {
        let kind = |error: Error| error.kind().clone();
        let read = |response: &mut Response, len: usize| {
            let mut piece = Vec::new();
            let read = response.take(len as u64).read_to_end(&mut piece);
            read.map(|_| piece).map_err(|error| Error::from_io(&error).unwrap().kind().clone())
        };
        match self {
            Way::Reads(sizes) => sizes.iter().map(|size| read(&mut response, *size)).collect(),
            Way::Pieces(size) => response.chunks(size).map(|piece| piece.map_err(kind)).collect(),
            Way::ThenAll(size) => Ok(vec![read(&mut response, size)?, response.bytes().map_err(kind)?]),
        }
    }

    /// The pieces of a body that is not coded.
    fn of(self, body: &[u8]) -> Vec<Vec<u8>> {
        let cut = |sizes: &[usize]| {
            let mut rest = body;
            let mut piece = |size: &usize| {
                let (piece, behind) = rest.split_at(rest.len().min(*size));
                rest = behind;
                piece.to_vec()
            };
            sizes.iter().map(&mut piece).collect()
        };
        match self {
            Way::Reads(sizes) => cut(sizes),
            Way::Pieces(size) => body.chunks(size).map(<[u8]>::to_vec).collect(),
            Way::ThenAll(size) => cut(&[size, usize::MAX]),
        }
    }
}

/// Its id, a coding, coded data, what that means, and how it is asked for.
type Row = (&'static str, &'static str, Vec<u8>, Vec<u8>, Way);

#[test]
fn what_is_read() {
    use Way::*;
    let foo = b"foo".to_vec();
    let zeros = vec![0; 100_000];
    let coded_zeros = gzip(&zeros).len();
    let large = noise(200_000);
    let three = [gzip(b"foo"), gzip(b"bar"), gzip(b"baz")].concat();
    let table: Vec<Row> = vec![
        ("DEC-02", "deflate", zlib(&foo), foo.clone(), Pieces(9)),
        ("DEC-02 odd case", "dEfLaTe", zlib(&foo), foo.clone(), Pieces(9)),
        ("DEC-04", "gzip", gzip(&foo), foo.clone(), Reads(&[1, 2, 9, 9])),
        ("DEC-04 x-gzip", "x-gzip", gzip(&foo), foo.clone(), Reads(&[1, 2, 9, 9])),
        ("DEC-05", "gzip", three.clone(), b"foobarbaz".to_vec(), Pieces(100)),
        ("DEC-05 in small pieces", "gzip", three, b"foobarbaz".to_vec(), Pieces(2)),
        ("DEC-13", "gzip", gzip(&zeros), zeros.clone(), Pieces(10_240)),
        ("DEC-13 deflate", "deflate", zlib(&zeros), zeros.clone(), Pieces(10_240)),
        ("DEC-14 as long as the coded body", "gzip", gzip(&zeros), zeros.clone(), ThenAll(coded_zeros)),
        ("DEC-14 a byte less", "gzip", gzip(&zeros), zeros.clone(), ThenAll(coded_zeros - 1)),
        ("DEC-17 deflate, deflate", "deflate, deflate", zlib(&zlib(&foo)), foo.clone(), Pieces(9)),
        ("DEC-17 deflate, gzip", "deflate, gzip", gzip(&zlib(&foo)), foo.clone(), Pieces(9)),
        ("DEC-17 gzip, gzip", "gzip, gzip", gzip(&gzip(&foo)), foo.clone(), Pieces(9)),
        ("DEC-20", "gzip", gzip(&large), large.clone(), ThenAll(2)),
        ("DEC-20 nothing decoded yet", "gzip", gzip(&large), large.clone(), ThenAll(0)),
        ("DEC-20 almost all", "gzip", gzip(&large), large.clone(), ThenAll(199_999)),
        ("DEC-23", "gzip", gzip(&large), large.clone(), Pieces(10_240)),
        #[cfg(feature = "brotli")]
        ("DEC-08", "br", BROTLI.to_vec(), foo.clone(), Pieces(9)),
        #[cfg(feature = "brotli")]
        ("DEC-08 byte by byte", "br", BROTLI.to_vec(), foo.clone(), Pieces(1)),
        #[cfg(feature = "brotli")]
        ("RW-15 without the last block", "br", BROTLI[..BROTLI.len() - 1].to_vec(), foo, Pieces(1)),
        #[cfg(feature = "zstd")]
        ("DEC-10", "zstd", zstd(&large).repeat(2), large.repeat(2), Reads(&[1024, 512, 512])),
        #[cfg(feature = "zstd")]
        ("DEC-10 frames", "zstd", zstd(&large[..1024]).repeat(2), large[..1024].repeat(2), Reads(&[1024, 512, 512])),
        #[cfg(feature = "zstd")]
        ("DEC-13 zstd", "zstd", zstd(&zeros), zeros, Pieces(10_240)),
    ];
    for (id, coding, data, body, way) in table {
        for response in framed(coding, &data) {
            let server = Server::new(vec![vec![Step::Forever(vec![Step::Request, Step::Pieces(response, 4096)])]]);
            let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap();
            let pieces = way.read(pool.get("/").send().unwrap()).unwrap();
            assert!(pieces == way.of(&body), "{id}: {:?}", pieces.iter().map(Vec::len).collect::<Vec<_>>());
            let raw = pool.get("/").decode_content(false).send().unwrap().bytes().unwrap();
            assert!(raw == data, "{id}: as it came");
        }
    }
}

/// Rows DEC-08 and DEC-11: in whatever way it is read.
#[test]
fn what_cannot_be_decoded() {
    let table: Vec<(&str, &str, Vec<u8>)> = vec![
        ("DEC-01", "deflate", b"\x88\x88\x88\x88\x88".to_vec()),
        ("DEC-07", "gzip", b"<html>no such thing</html>".to_vec()),
        ("DEC-26 deflate", "deflate", b"garbage".to_vec()),
        ("DEC-26 gzip", "gzip", b"garbage".to_vec()),
        #[cfg(feature = "brotli")]
        ("DEC-08", "br", b"foo".repeat(9)),
        #[cfg(feature = "brotli")]
        ("DEC-08 cut", "br", BROTLI[..BROTLI.len() - 2].to_vec()),
        #[cfg(feature = "zstd")]
        ("DEC-11", "zstd", b"foo".repeat(9)),
        #[cfg(feature = "zstd")]
        ("DEC-11 cut", "zstd", zstd(b"foo")[..8].to_vec()),
        #[cfg(feature = "zstd")]
        ("DEC-11 cut in the first bytes", "zstd", zstd(b"foo")[..2].to_vec()),
        #[cfg(feature = "zstd")]
        ("DEC-11 cut in the second frame", "zstd", [&zstd(b"foo")[..], &zstd(b"foo")[..8]].concat()),
    ];
    for (id, coding, data) in table {
        for response in framed(coding, &data) {
            let server = Server::new(vec![answers(response)]);
            let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap();
            for way in [Way::ThenAll(0), Way::Reads(&[100]), Way::Reads(&[1; 4]), Way::Pieces(2)] {
                let result = way.read(pool.get("/").send().unwrap());
                assert_eq!(result, Err(ErrorKind::Decode), "{id} {way:?}");
            }
            let mut response = pool.get("/").send().unwrap();
            assert_eq!(response.load().unwrap_err().kind(), &ErrorKind::Decode, "{id}");
            assert_eq!(response.data(), None, "{id}");
        }
    }
}

/// Row RSP-15: what has come over the wire only grows, and is the coded body at the end, however it is cut.
#[test]
fn bytes_of_the_wire() {
    let body = noise(100_000);
    let data = zlib(&body);
    for response in framed("deflate", &data) {
        let server = Server::new(vec![answers(response)]);
        let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap();
        let mut response = pool.get("/").send().unwrap();
        let (mut seen, mut sizes) = (vec![response.bytes_read()], Vec::new());
        while let Some(piece) = response.chunks(1000).next() {
            sizes.push(piece.unwrap().len());
            seen.push(response.bytes_read());
        }
        assert!(seen.is_sorted() && seen[0] == 0 && seen[50] > 0, "{seen:?}");
        assert_eq!(seen.last(), Some(&(data.len() as u64)));
        assert_eq!(sizes, [1000; 100]);
    }
}
