//! gzip and deflate.

use std::io::Write;

use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;

use super::super::chain::Decoder;
use super::decoding::{decode, decode_proven, decode_split, text};
use super::*;

const LEVEL: Compression = Compression::new(6);

/// Row, coded data, and the body if the data is whole.
type Row = (&'static str, Vec<u8>, Option<Vec<u8>>);

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), LEVEL);
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn bare(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), LEVEL);
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn broken(mut data: Vec<u8>, at: usize) -> Vec<u8> {
    data[at] ^= 0x55;
    data
}

/// A member with every part that a header can have, and the right checksum of it.
fn with_all_parts(body: &[u8]) -> Vec<u8> {
    let builder = GzBuilder::new().extra(vec![7; 300]).filename("name").comment("comment");
    let mut plain = Vec::new();
    let mut encoder = builder.write(&mut plain, LEVEL);
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap();
    let header = 10 + 2 + 300 + 5 + 8;
    plain[3] |= 2;
    let mut crc = flate2::Crc::new();
    crc.update(&plain[..header]);
    [&plain[..header], &(crc.sum() as u16).to_le_bytes(), &plain[header..]].concat()
}

#[test]
fn members() {
    let (foo, long) = (gzip(b"foo"), text(50_000));
    let all_parts = with_all_parts(b"foo");
    let table: Vec<Row> = vec![
        ("one", foo.clone(), Some("foo".into())),
        ("empty member", gzip(b""), Some(vec![])),
        ("long", gzip(&long), Some(long.clone())),
        ("B136, DEC-05", [gzip(b"foo"), gzip(b"bar"), gzip(&long)].concat(), Some([b"foobar", &long[..]].concat())),
        ("all parts of a header", all_parts.clone(), Some("foo".into())),
        ("its checksum", broken(all_parts.clone(), 325), None),
        ("a part its checksum covers", broken(all_parts.clone(), 20), None),
        ("reserved flag", broken([&foo[..3], &[0x75], &foo[4..]].concat(), 3), None),
        ("another method", broken(foo.clone(), 2), None),
        ("DEC-07", b"this is no gzip data".to_vec(), None),
        ("no data", vec![], None),
        ("checksum", broken(foo.clone(), foo.len() - 8), None),
        ("length", broken(foo.clone(), foo.len() - 1), None),
        ("data", broken(gzip(&long), 200), None),
        ("the second member's", [foo.clone(), broken(foo.clone(), foo.len() - 8)].concat(), None),
        ("padding", [&foo[..], &[0; 512]].concat(), Some("foo".into())),
        ("garbage behind", [&foo[..], b"\x1F garbage"].concat(), Some("foo".into())),
        ("a member behind garbage", [&foo[..], b"x", &foo].concat(), Some("foo".into())),
        ("padding of the most", [&foo[..], &[0; SURPLUS]].concat(), Some("foo".into())),
        ("more than padding", [&foo[..], &[0; SURPLUS + 1]].concat(), None),
        ("half a magic number behind", [&foo[..], b"\x1F"].concat(), None),
        ("a magic number behind", [&foo[..], b"\x1F\x8B"].concat(), None),
    ];
    for (id, data, body) in table {
        assert_eq!(decode(&["gzip"], &data).ok(), body, "{id}");
    }
}

/// Row A9.4 without the framing: data that is cut is no body.
#[test]
fn cut_anywhere() {
    let bodies = [with_all_parts(&text(500)), zlib(&text(500)), bare(&text(500))];
    for (lines, data) in [["gzip"], ["deflate"], ["deflate"]].iter().zip(&bodies) {
        for len in 0..data.len() {
            decode(lines, &data[..len]).expect_err("a part");
        }
        assert_eq!(decode(lines, data).unwrap(), text(500));
    }
    // Whole members at the start of the data are a body.
    let members = [gzip(b"foo"), gzip(b"bar")].concat();
    for len in 0..members.len() {
        assert_eq!(decode(&["gzip"], &members[..len]).is_ok(), len == members.len() / 2, "{len}");
    }
}

/// Returns what `whole` makes of `body`, cut after its last flush.
fn flushed(body: &[u8], whole: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let marker = &[0, 0, 0xFF, 0xFF];
    let data = whole(body);
    let end = memchr::memmem::rfind(&data, marker).expect("it was flushed") + marker.len();
    data[..end].to_vec()
}

/// Writes, flushes, writes the same again, and ends.
fn flushing<W: Write>(mut encoder: W, body: &[u8], finish: fn(W) -> std::io::Result<Vec<u8>>) -> Vec<u8> {
    encoder.write_all(body).unwrap();
    encoder.flush().unwrap();
    encoder.write_all(body).unwrap();
    finish(encoder).unwrap()
}

/// Row RW-15: if the framing is complete, data may end after a block, with the trailer missing or short.
#[test]
fn ends_after_a_block() {
    let body = text(500);
    let formats: [(&[&str], Vec<u8>, usize); 3] = [
        (&["gzip"], flushing(GzEncoder::new(Vec::new(), LEVEL), &body, GzEncoder::finish), 8),
        (&["deflate"], flushing(ZlibEncoder::new(Vec::new(), LEVEL), &body, ZlibEncoder::finish), 4),
        (&["deflate"], flushing(DeflateEncoder::new(Vec::new(), LEVEL), &body, DeflateEncoder::finish), 0),
    ];
    for (lines, data, trailer) in formats {
        let flush = flushed(&body, |_| data.clone()).len();
        for len in 0..data.len() {
            let expected = match len {
                _ if len == flush => Some(body.clone()),
                _ if len >= data.len() - trailer => Some(body.repeat(2)),
                _ => None,
            };
            assert_eq!(decode_proven(lines, &data[..len]).ok(), expected, "{lines:?}, {len} of {}", data.len());
            decode(lines, &data[..len]).expect_err("the framing proves nothing");
        }
        for at in data.len() - trailer..data.len() {
            decode_proven(lines, &broken(data.clone(), at)).expect_err("a wrong trailer");
            decode_proven(lines, &broken(data.clone(), at)[..=at]).expect_err("a wrong trailer that is short");
        }
        decode_proven(lines, &broken(data[..flush].to_vec(), 30)).expect_err("broken codes");
    }
    // In a stored block the bytes of the marker are data.
    let stored = |body: &[u8]| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let marked = [&b"xx\0\0\xFF\xFF"[..], &text(50)].concat();
    let data = flushed(&marked, |_| stored(&marked)[..11].to_vec());
    assert_eq!(data.len(), 11, "five bytes of a block's header and six of its data");
    decode_proven(&["deflate"], &data).expect_err("a marker that is data");
    // One coding inside another, of which one is whole and the other is cut after a block.
    let inner = flushed(&body, |body| flushing(GzEncoder::new(Vec::new(), LEVEL), body, GzEncoder::finish));
    assert_eq!(decode_proven(&["gzip, gzip"], &gzip(&inner)).unwrap(), body);
    let outer = flushed(&gzip(&body), |body| flushing(GzEncoder::new(Vec::new(), LEVEL), body, GzEncoder::finish));
    assert_eq!(decode_proven(&["gzip, gzip"], &outer).unwrap(), body);
    decode_proven(&["gzip"], b"").expect_err("nothing");
    decode_proven(&["gzip"], &gzip(b"")[..10]).expect_err("a header alone");
}

/// The checksum of the zlib format is the one that other encoders write.
#[test]
fn adler() {
    for len in [0, 1, 5551, 5552, 5553, 200_000] {
        let body = vec![0xFF; len];
        assert_eq!(decode(&["deflate"], &zlib(&body)).unwrap(), body, "{len}");
    }
}

/// Row A9.6: a flat loop, and one pass over the input.
#[test]
fn ten_thousand_empty_members() {
    let data = [gzip(b"").repeat(10_000), gzip(b"end")].concat();
    assert_eq!(decode(&["gzip"], &data).unwrap(), b"end");
    let one_by_one = decode_split(&codings(&["gzip"]).unwrap().unwrap(), &data, &[1], &[1]);
    assert_eq!(one_by_one, (b"end".to_vec(), None));
}

/// Row B133 for `deflate`: the zlib format, and the bare data that some servers send.
#[test]
fn deflate() {
    let long = text(50_000);
    let stored = |body: &[u8]| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let table: Vec<Row> = vec![
        ("zlib", zlib(&long), Some(long.clone())),
        ("bare", bare(&long), Some(long.clone())),
        ("bare, stored", stored(&long), Some(long.clone())),
        ("zlib, empty", zlib(b""), Some(vec![])),
        ("bare, empty", bare(b""), Some(vec![])),
        ("zlib, padded", [zlib(b"foo"), vec![0; 100]].concat(), Some("foo".into())),
        ("zlib, too much behind", [zlib(b"foo"), vec![0; SURPLUS + 1]].concat(), None),
        ("zlib, checksum", broken(zlib(&long), zlib(&long).len() - 1), None),
        ("zlib, needs a dictionary", [&[0x78, 0xBB, 0, 0, 0, 1][..], &bare(b"foo")].concat(), None),
        ("zlib, header", broken(zlib(&long), 1), None),
        ("DEC-01", b"\xFF\xFF\xFF\xFF not deflate".to_vec(), None),
        ("no data", vec![], None),
    ];
    for (id, data, body) in table {
        assert_eq!(decode(&["deflate"], &data).ok(), body, "{id}");
    }
}

/// Row DEC-17, in one line and in several.
#[test]
fn chains() {
    let body = text(40_000);
    let table: Vec<(&[&str], Vec<u8>)> = vec![
        (&["deflate, deflate"], zlib(&zlib(&body))),
        (&["deflate, gzip"], gzip(&zlib(&body))),
        (&["gzip", "deflate"], bare(&gzip(&body))),
        (&["gzip, gzip"], gzip(&gzip(&body))),
        (&["gzip", "gzip", "gzip,gzip,gzip"], gzip(&gzip(&gzip(&gzip(&gzip(&body)))))),
    ];
    for (lines, data) in table {
        assert_eq!(decode(lines, &data).unwrap(), body, "{lines:?}");
        decode(lines, &data[..data.len() - 1]).expect_err("cut");
    }
    decode(&["deflate, gzip"], &zlib(&gzip(b"foo"))).expect_err("in the order they were not applied in");
    decode(&["gzip, gzip"], &gzip(&gzip(b"foo")[..20])).expect_err("the inner one is cut");
    decode(&["gzip, gzip"], &gzip(b"")).expect_err("the inner one is nothing");
}

/// The bytes between two codings are bounded if they become no body. Each of these bodies has megabytes there.
#[test]
fn much_between_and_nothing_behind() {
    let bombs: Vec<(&str, Vec<u8>)> = vec![
        ("empty members", gzip(&gzip(b"").repeat(1 << 18))),
        ("an endless name", gzip(&[&[0x1F, 0x8B, 8, 8, 0, 0, 0, 0, 0, 0][..], &vec![b'x'; 6 << 20]].concat())),
        ("padding", gzip(&[gzip(b"foo"), vec![0; 6 << 20]].concat())),
    ];
    for (id, bomb) in bombs {
        assert!(bomb.len() < 50_000, "{id}");
        let codings = codings(&["gzip, gzip"]).unwrap().unwrap();
        let (body, fault) = decode_split(&codings, &bomb, &[4096], &[4096]);
        assert!(fault.is_some() && body.len() <= 3, "{id}");
    }
}

/// Rows B137 and DEC-13: a step gives as much as there is room for, and later steps give the rest.
#[test]
fn a_bomb_goes_off_step_by_step() {
    let bomb = gzip(&vec![0; 10 << 20]);
    let mut decoder = Decoder::new(&codings(&["gzip"]).unwrap().unwrap());
    let mut room = [1; 10_240];
    let step = decoder.decode(&bomb, Ending::Strict, &mut room).unwrap();
    assert_eq!((step.produced, step.next), (room.len(), Need::Output));
    assert!(step.consumed < 1024, "{step:?}");
    assert_eq!(room, [0; 10_240]);
}

/// A decoder in the middle of one body serves for another.
#[test]
fn spares() {
    let spares = Spares::default();
    let (gzip_only, both) = (codings(&["gzip"]).unwrap().unwrap(), codings(&["gzip,gzip"]).unwrap().unwrap());
    let read = |codings, data: &[u8], enough: usize| {
        let mut pump = spares.take(codings);
        let mut body = Vec::new();
        let mut data = data.chunks(100);
        let mut last = false;
        while body.len() < enough {
            if let Some(room) = pump.room() {
                let piece = data.next().unwrap_or_default();
                last = piece.is_empty();
                room[..piece.len()].copy_from_slice(piece);
                pump.received(piece.len());
            }
            let mut out = [0; 64];
            match pump.decode(if last { Ending::Strict } else { Ending::Open }, &mut out) {
                Err(_) => break,
                Ok(step) => {
                    body.extend_from_slice(&out[..step.produced]);
                    if step.next == Need::Done {
                        break;
                    }
                }
            }
        }
        spares.put(pump);
        body
    };
    let body = text(10_000);
    let data = gzip(&body);
    for enough in [0, 1, 5_000, usize::MAX] {
        read(gzip_only, &data, enough);
        assert_eq!(read(gzip_only, &data, usize::MAX), body, "behind {enough}");
        read(gzip_only, &broken(data.clone(), 1), usize::MAX);
        assert_eq!(read(gzip_only, &data, usize::MAX), body, "behind a fault");
        read(gzip_only, &broken(data.clone(), 1), usize::MAX);
        assert_eq!(read(gzip_only, &with_all_parts(&body), usize::MAX), body, "a checksum behind a fault");
        assert_eq!(read(both, &gzip(&data), usize::MAX), body);
    }
}

proptest! {
    /// However input and output are split, encoded data gives the same body, and other data gives the same bytes and
    /// fault.
    #[test]
    fn splits(
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..3000), (0..20_000_usize).prop_map(text)],
        level in 0..=9_u32,
        pieces in proptest::collection::vec(1..2000_usize, 1..6),
        rooms in proptest::collection::vec(1..3000_usize, 1..6),
        flip in proptest::option::of((any::<proptest::sample::Index>(), 1..=255_u8)),
        twice in any::<bool>(),
    ) {
        let level = Compression::new(level);
        let mut members = GzEncoder::new(Vec::new(), level);
        members.write_all(&body).unwrap();
        let mut data = members.finish().unwrap();
        let lines: &[&str] = if twice { &["gzip, deflate"] } else { &["gzip"] };
        if twice {
            data = zlib(&data);
        }
        if let Some((at, bits)) = &flip {
            let at = at.index(data.len());
            data[at] ^= bits;
        }
        let codings = codings(lines).unwrap().unwrap();
        let whole = decode_split(&codings, &data, &[usize::MAX], &[1 << 16]);
        let split = decode_split(&codings, &data, &pieces, &rooms);
        let common = split.0.iter().zip(&whole.0).take_while(|(a, b)| a == b).count();
        prop_assert_eq!((split.0.len(), common), (whole.0.len(), whole.0.len()));
        // If a change breaks two codings, either fault may be found first.
        prop_assert!(split.1 == whole.1 || (twice && split.1.is_some() && whole.1.is_some()));
        if flip.is_none() {
            prop_assert_eq!(&whole, &(body, None));
        }
    }
}
