//! Tests of what all codings have in common, and of codings without a test file.

use proptest::prelude::*;

use super::super::chain::Decoder;
use super::*;

/// Returns text that compresses a little, as prose does.
pub(in crate::coding) fn text(len: usize) -> Vec<u8> {
    let words = ["pool ", "waits ", "host\n", "for ", "the ", "a ", "connection, "];
    let mut state = 7_u32;
    let mut text = Vec::with_capacity(len + 16);
    while text.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend_from_slice(words[(state >> 20) as usize % words.len()].as_bytes());
        text.extend_from_slice(((state >> 8) & 0xFF).to_string().as_bytes());
    }
    text.truncate(len);
    text
}

/// Returns all that `input` decodes to. Input and output are split into pieces of these sizes, over and over.
pub(in crate::coding) fn decode_split(
    codings: &Codings,
    input: &[u8],
    pieces: &[usize],
    rooms: &[usize],
) -> (Vec<u8>, Option<Corrupt>) {
    decode_until(codings, input, Ending::Strict, pieces, rooms)
}

/// Does what [`decode_split`] does, with this end of the input.
fn decode_until(
    codings: &Codings,
    mut input: &[u8],
    last: Ending,
    pieces: &[usize],
    rooms: &[usize],
) -> (Vec<u8>, Option<Corrupt>) {
    let mut decoder = Decoder::new(codings);
    let (mut pieces, mut rooms) = (pieces.iter().cycle(), rooms.iter().cycle());
    let (mut out, mut room) = (Vec::new(), Vec::new());
    let mut piece: &[u8] = &[];
    let mut next = Need::Input;
    loop {
        if next == Need::Input {
            assert!(piece.is_empty(), "input is asked for where there is some");
            let (front, rest) = input.split_at(input.len().min(*pieces.next().unwrap()));
            (piece, input) = (front, rest);
        }
        room.resize(*rooms.next().unwrap(), 0xAA);
        let ending = if input.is_empty() { last } else { Ending::Open };
        match decoder.decode(piece, ending, &mut room) {
            Ok(step) => {
                assert!(step.consumed <= piece.len() && step.produced <= room.len());
                assert!(step.next != Need::Input || !input.is_empty(), "more than all is asked for");
                out.extend_from_slice(&room[..step.produced]);
                piece = &piece[step.consumed..];
                next = step.next;
                if next == Need::Done {
                    return (out, None);
                }
            }
            Err(fault) => {
                assert_eq!(decoder.decode(piece, Ending::Strict, &mut [0]), Err(fault), "an error stays");
                return (out, Some(fault));
            }
        }
    }
}

pub(in crate::coding) fn decode(lines: &[&str], input: &[u8]) -> Result<Vec<u8>, Corrupt> {
    decode_ending(lines, input, Ending::Strict)
}

/// Decodes data whose framing proves that no more was sent.
pub(in crate::coding) fn decode_proven(lines: &[&str], input: &[u8]) -> Result<Vec<u8>, Corrupt> {
    decode_ending(lines, input, Ending::Proven)
}

fn decode_ending(lines: &[&str], input: &[u8], last: Ending) -> Result<Vec<u8>, Corrupt> {
    let codings = codings(lines).unwrap().expect("a coding that is compiled in");
    let whole = decode_until(&codings, input, last, &[usize::MAX], &[1 << 20]);
    if input.len() < 100_000 {
        for (piece, room) in [(1, 1 << 16), (3, 7), (usize::MAX, 1)] {
            let split = decode_until(&codings, input, last, &[piece], &[room]);
            assert_eq!(split.1, whole.1, "in pieces of {piece} through {room}");
            // A decoder with a window of its own decides how much comes before a fault.
            let exact = whole.1.is_none() || lines.iter().all(|line| !line.contains("br") && !line.contains("zstd"));
            let len = if exact { usize::MAX } else { split.0.len().min(whole.0.len()) };
            assert!(split.0.iter().take(len).eq(whole.0.iter().take(len)), "in pieces of {piece} through {room}");
        }
    }
    match whole {
        (body, None) => Ok(body),
        (_, Some(fault)) => Err(fault),
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes(
        data in prop_oneof![proptest::collection::vec(any::<u8>(), 0..600), (0..600_usize).prop_map(text)],
        name in 0..KNOWN.len(),
    ) {
        let codings = codings(&[KNOWN[name].name]).unwrap().unwrap();
        decode_split(&codings, &data, &[7, 100], &[1, 1000]);
    }
}

/// Rows B133, DEC-08. The bytes were made by Python's `brotli.compress(data, quality=11, lgwin=22)`.
#[cfg(feature = "brotli")]
#[test]
fn brotli() {
    const PROSE: &[u8] = b"\x1B\x4E\x00\xC0\x9C\x09\xBC\x09\xEB\xEA\xC8\x3B\x80\x13\xA6\x2F\x5D\xA8\xCA\x12\x2D\x0D\
        \xAE\xDF\xE6\x40\xD8\x36\xC8\xC9\x0E\x1D\x0F\xB8\xE8\x37\xD2\x1B\xF3\x4A\x25\xD8\x01\x1B\xB3\x69\xB0\xD0\x79\
        \x73\xCA\x98\x49\x8E\x3E\x0B\xA0\x81\xAC\xD2\x50\xD8\x00";
    const DIGITS: &[u8] = b"\x5B\x9F\x86\x81\x5F\xDC\x60\x6C\x5E\xD2\x88\x03\x43\x01\xA0\xFC\x02\x40\x39\x9D\xBD\x07";
    let prose = "The pool waits for the host, and the host for the pool; the pool is the host's.";
    assert_eq!(decode(&["br"], PROSE).unwrap(), prose.as_bytes());
    assert_eq!(decode(&["br"], DIGITS).unwrap(), b"0123456789".repeat(10_000));
    assert_eq!(decode(&["br"], b"\x3B").unwrap(), b"");
    assert_eq!(decode(&["br"], &[PROSE, b"\0\0 padding"].concat()).unwrap(), prose.as_bytes());
    decode(&["br"], &[PROSE, &[0; SURPLUS + 1]].concat()).expect_err("more than padding");
    decode(&["br"], b"no brotli data at all").expect_err("garbage");
    for len in 0..PROSE.len() {
        decode(&["br"], &PROSE[..len]).expect_err("a part");
    }
    for len in 0..DIGITS.len() {
        decode(&["br"], &DIGITS[..len]).expect_err("a part");
    }
    // RW-15: the end of a flush is accepted, and no other place. The bytes were made by Node's `createBrotliCompress`
    // with quality 5, `write` and `flush`.
    const FLUSHED: &[u8] = b"\x0B\x27\x00\x00\x44\x27\x47\x7A\xCB\x02\x49\x34\x90\xE0\xDB\x2D\x78\x5B\xA0\xCA\
        \x01\x7B\x93\x65\x38\x9F\x3C\xB9\xD1\x0D\xEF\x31\x36\xA6\x21\x3C\x7D\xB6\x45\xD4\x65\xF0\xB3\x43\x55\xB7\
        \xFC\x1E\x42\xEB\xAB\x0C\xB0\x4C\x22\xC5\x2E\xD6\xBA\x62\x6B\x38\x0D";
    assert_eq!(decode_proven(&["br"], FLUSHED).unwrap(), prose.as_bytes(), "RW-15 flushed");
    decode(&["br"], FLUSHED).expect_err("RW-15 flushed, and the framing proves nothing");
    for len in 0..FLUSHED.len() {
        decode_proven(&["br"], &FLUSHED[..len]).expect_err("RW-15 a part of a block");
    }
    for len in 0..PROSE.len() {
        decode_proven(&["br"], &PROSE[..len]).expect_err("RW-15 a part of the last block");
    }
    // A block that is not compressed ends on a byte boundary.
    assert_eq!(decode_proven(&["br"], b"\x40\x00\x10hello").unwrap(), b"hello", "RW-15");
    decode_proven(&["br"], b"\x40\x00\x10hell").expect_err("RW-15 a part of it");
    // An empty stream with a window of 2^30 bytes, which the RFC does not allow.
    decode(&["br"], b"\x11\xDE").expect_err("a large window");
    // A step gives as much as there is room for.
    let mut decoder = Decoder::new(&codings(&["br"]).unwrap().unwrap());
    let step = decoder.decode(DIGITS, Ending::Strict, &mut [0; 100]).unwrap();
    assert_eq!((step.produced, step.next), (100, Need::Output));
}

/// Rows B133, DEC-10 and DEC-11.
#[cfg(feature = "zstd")]
#[test]
fn zstd() {
    use std::io::Write;

    use ::zstd::stream::raw::CParameter;

    let encode = |body: &[u8], window: u32| {
        let mut encoder = ::zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.set_parameter(CParameter::WindowLog(window)).unwrap();
        encoder.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
        // The frame begins before its length is known, because otherwise it would need no window.
        encoder.write_all(&body[..1]).unwrap();
        encoder.flush().unwrap();
        encoder.write_all(&body[1..]).unwrap();
        encoder.finish().unwrap()
    };
    let body = text(3000);
    let data = encode(&body, 20);
    assert_eq!(decode(&["zstd"], &data).unwrap(), body);
    let skipped = b"\x50\x2A\x4D\x18\x03\x00\x00\x00xyz";
    assert_eq!(decode(&["zstd"], &[skipped, &data[..], &data, skipped].concat()).unwrap(), body.repeat(2));
    assert_eq!(decode(&["zstd"], &encode(&body, 23)).unwrap(), body, "8 MiB of window");
    decode(&["zstd"], &encode(&body, 24)).expect_err("16 MiB of window");
    decode(&["zstd"], b"no zstd data at all").expect_err("garbage");
    decode(&["zstd"], &[&data[..], b"garbage"].concat()).expect_err("garbage behind");
    for len in 0..data.len() {
        decode(&["zstd"], &data[..len]).expect_err("a part");
    }
    // RW-15: data may end after a block, with the checksum missing or short, but not with a wrong one.
    let mut encoder = ::zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.write_all(&body).unwrap();
    encoder.flush().unwrap();
    assert_eq!(decode_proven(&["zstd"], encoder.get_ref()).unwrap(), body, "RW-15 flushed");
    decode(&["zstd"], encoder.get_ref()).expect_err("RW-15 flushed, and the framing proves nothing");
    let flushed = encoder.get_ref().len();
    encoder.write_all(&body).unwrap();
    let flushed_and_ended = encoder.finish().unwrap();
    for len in 0..flushed_and_ended.len() {
        let ends = decode_proven(&["zstd"], &flushed_and_ended[..len]).is_ok();
        assert_eq!(ends, len == flushed, "RW-15 {len} of {}", flushed_and_ended.len());
    }
    // The first flush is after one byte.
    let first: Vec<usize> = (0..data.len()).filter(|&len| decode_proven(&["zstd"], &data[..len]).is_ok()).collect();
    assert_eq!(first[1..], [data.len() - 4, data.len() - 3, data.len() - 2, data.len() - 1], "RW-15 {first:?}");
    assert_eq!(decode_proven(&["zstd"], &data[..first[0]]).unwrap(), body[..1], "RW-15");
    let header = 6;
    decode_proven(&["zstd"], &[&data[..], &data[..header]].concat()).expect_err("RW-15 a header of a frame alone");
    let skippable = [&data[..], &skipped[..skipped.len() - 3]].concat();
    decode_proven(&["zstd"], &skippable).expect_err("RW-15 a skippable frame is no block");
    let mut changed = data.clone();
    *changed.last_mut().unwrap() ^= 1;
    decode_proven(&["zstd"], &changed).expect_err("RW-15 the checksum");
    decode(&["zstd"], &changed).expect_err("the checksum");
    // There is exactly as much room as the body needs. The end of the frame shows all the same.
    let codings = codings(&["zstd"]).unwrap().unwrap();
    assert_eq!(decode_split(&codings, &data, &[usize::MAX], &[1500]), (body.clone(), None));
}
