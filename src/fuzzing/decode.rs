//! Content codings: what is encoded comes back however it is split, no front of it is a body unless the framing is
//! complete and a block ends there, and of arbitrary bytes every split makes the same.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::input::{Input, pieces};
use crate::coding::{Codings, Ending, Need, Spares};

/// Enough to see that the rest would be the same; a bomb has no end that is worth waiting for.
const ENOUGH: usize = 256 * 1024;

/// What a caller reads.
#[derive(Debug, PartialEq)]
struct Seen {
    body: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Fault,
    /// There was more than enough.
    Open,
}

pub fn decode(data: &[u8]) {
    let mut input = Input::new(data);
    let round_trip = input.flag();
    let (splits, rooms) = (input.bytes(8), input.bytes(8));
    match round_trip {
        true => comes_back(&mut input, splits, rooms),
        false => is_the_same(&mut input, splits, rooms),
    }
}

fn comes_back(input: &mut Input<'_>, splits: &[u8], rooms: &[u8]) {
    let (level, flush) = (Compression::new(input.number(9) as u32), input.flag());
    let formats: Vec<usize> = (0..=input.number(4)).map(|_| input.number(3)).collect();
    let names = ["gzip", "deflate", "deflate", "x-gzip"];
    let lines: Vec<&str> = formats.iter().map(|&format| names[format]).collect();
    let cut = input.number(0xFFFF);
    let body = input.rest();
    let mut coded = body.to_vec();
    for &format in &formats {
        coded = match format {
            1 => encode(ZlibEncoder::new(Vec::new(), level), &coded, flush, ZlibEncoder::finish),
            2 => encode(DeflateEncoder::new(Vec::new(), level), &coded, flush, DeflateEncoder::finish),
            _ => encode(GzEncoder::new(Vec::new(), level), &coded, flush, GzEncoder::finish),
        };
    }
    let spares = Spares::default();
    let cut = &coded[..cut % coded.len()];
    let front = read(&spares, &lines, cut, Ending::Strict, splits, rooms);
    assert!(front.end == End::Fault && body.starts_with(&front.body), "{lines:?} is cut, {:?}", front.end);
    let front = read(&spares, &lines, cut, Ending::Proven, splits, rooms);
    assert!(body.starts_with(&front.body), "{lines:?} is cut, {:?}", front.end);
    let trailer = match formats.last() {
        Some(1) => 4,
        Some(2) => 0,
        _ => 8,
    };
    let in_trailer = coded.len() - cut.len() <= trailer;
    assert!(front.end == End::Fault || in_trailer || cut.ends_with(&[0, 0, 0xFF, 0xFF]), "{lines:?} is cut in a block");
    assert!(
        !in_trailer || front == Seen { body: body.to_vec(), end: End::Whole },
        "{lines:?} lacks a part of its trailer"
    );
    // The decoder that has just failed.
    let seen = read(&spares, &lines, &coded, Ending::Strict, splits, rooms);
    assert!(seen == Seen { body: body.to_vec(), end: End::Whole }, "{lines:?}: {:?}", seen.end);
}

fn encode<W: Write>(mut encoder: W, body: &[u8], flush: bool, finish: fn(W) -> std::io::Result<Vec<u8>>) -> Vec<u8> {
    for piece in body.chunks(if flush { 1 + body.len() / 3 } else { usize::MAX }) {
        encoder.write_all(piece).unwrap();
        if flush {
            encoder.flush().unwrap();
        }
    }
    finish(encoder).unwrap()
}

fn is_the_same(input: &mut Input<'_>, splits: &[u8], rooms: &[u8]) {
    let count = 1 + input.number(1);
    let lines: Vec<&str> = (0..count).map(|_| input.pick(&["gzip", "deflate", "br", "zstd"])).collect();
    let coded = input.rest();
    let spares = Spares::default();
    let [strict, proven] = [Ending::Strict, Ending::Proven].map(|ending| {
        let whole = read(&spares, &lines, coded, ending, &[], &[]);
        let split = read(&spares, &lines, coded, ending, splits, rooms);
        let bytes = read(&spares, &lines, coded, ending, &[1], &[255]);
        are_the_same(&lines, &whole, [split, bytes]);
        whole
    });
    assert!(strict.end == End::Fault || strict == proven, "{lines:?}: what is whole is taken in either way");
}

fn are_the_same(lines: &[&str], whole: &Seen, others: [Seen; 2]) {
    // What a decoder keeps in a window of its own is lost with it where a fault follows.
    let exact = !lines.iter().any(|line| ["br", "zstd"].contains(line));
    for other in others {
        let both_fail = other.end != End::Whole && whole.end != End::Whole;
        assert!(other.end == whole.end || (!exact && both_fail), "{lines:?}: {:?}, {:?}", other.end, whole.end);
        let len = if exact { usize::MAX } else { other.body.len().min(whole.body.len()) };
        let front = |seen: &Seen| seen.body.iter().take(len).copied().collect::<Vec<_>>();
        assert!(front(&other) == front(whole), "{lines:?}");
        assert!(exact || both_fail || other.body == whole.body, "{lines:?}");
    }
}

fn read(spares: &Spares, lines: &[&str], coded: &[u8], last: Ending, splits: &[u8], rooms: &[u8]) -> Seen {
    // Not all of them are compiled in.
    let codings = match Codings::of(lines.iter().map(|line| line.as_bytes())) {
        Ok(Some(codings)) => codings,
        Ok(None) => return Seen { body: coded.to_vec(), end: End::Whole },
        Err(_) => return Seen { body: Vec::new(), end: End::Fault },
    };
    let mut pump = spares.take(codings);
    let mut pieces = pieces(coded, splits);
    let mut rooms = rooms.iter().cycle();
    let mut seen = Seen { body: Vec::new(), end: End::Open };
    let (mut left, mut rest, mut out) = (coded.len(), &coded[..0], [0; 4096]);
    // Each call takes or gives something, or is the one that finds the end.
    let mut calls = 8 + 4 * (coded.len() + ENOUGH);
    while seen.body.len() < ENOUGH {
        calls = calls.checked_sub(1).expect("no progress");
        if let Some(room) = pump.room() {
            if rest.is_empty() {
                rest = pieces.next().unwrap_or_default();
            }
            let len = rest.len().min(room.len());
            room[..len].copy_from_slice(&rest[..len]);
            pump.received(len);
            (rest, left) = (&rest[len..], left - len);
        }
        let size = rooms.next().map_or(out.len(), |&size| usize::from(size).max(1));
        match pump.decode(if left == 0 { last } else { Ending::Open }, &mut out[..size]) {
            Ok(step) => {
                seen.body.extend_from_slice(&out[..step.produced]);
                if step.next == Need::Done {
                    seen.end = End::Whole;
                    break;
                }
            }
            Err(_) => {
                seen.end = End::Fault;
                break;
            }
        }
    }
    seen.body.truncate(ENOUGH);
    spares.put(pump);
    seen
}
