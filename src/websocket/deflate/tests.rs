//! Offers, answers and compressed messages.

use super::super::fault::Fault;
use super::*;

fn offered(compression: PerMessageDeflate) -> String {
    compression.offer()
}

/// WD1: nothing is asked for that a server could refuse, and sizes of the caller come with a plain offer after them.
#[test]
fn offers() {
    const PLAIN: &str = "permessage-deflate; client_max_window_bits";
    let new = PerMessageDeflate::new;
    let table = [
        (new(), PLAIN.to_owned()),
        (new().level(9), PLAIN.to_owned()),
        (new().client_max_window_bits(10), format!("{PLAIN}=10, {PLAIN}")),
        (new().client_max_window_bits(3), format!("{PLAIN}=9, {PLAIN}")),
        (new().client_max_window_bits(99), PLAIN.to_owned()),
        (new().server_max_window_bits(12), format!("{PLAIN}; server_max_window_bits=12, {PLAIN}")),
        (
            new().client_no_context_takeover(true).server_no_context_takeover(true),
            format!("{PLAIN}; client_no_context_takeover; server_no_context_takeover, {PLAIN}"),
        ),
    ];
    for (compression, expected) in table {
        assert_eq!(offered(compression), expected);
    }
}

/// RFC 7692, section 7.1: the sizes that follow from each answer, or that the handshake fails.
#[test]
fn answers() {
    let good = [
        ("", None),
        (" , ", None),
        ("permessage-deflate", Some((15, true, true))),
        ("Permessage-Deflate ; Server_No_Context_Takeover", Some((15, true, false))),
        ("permessage-deflate; client_no_context_takeover", Some((15, false, true))),
        ("permessage-deflate; client_max_window_bits=8", Some((8, true, true))),
        ("permessage-deflate; client_max_window_bits=\"11\"", Some((11, true, true))),
        ("permessage-deflate; client_max_window_bits = 12", Some((12, true, true))),
        // WD3: we did not ask for them.
        ("permessage-deflate; server_max_window_bits=8", Some((15, true, true))),
        ("permessage-deflate; server_max_window_bits=9", Some((15, true, true))),
        ("permessage-deflate;server_max_window_bits=15", Some((15, true, true))),
    ];
    for (answer, expected) in good {
        let agreed = PerMessageDeflate::new().accept(answer).unwrap_or_else(|why| panic!("{answer}: {why}"));
        let sizes = agreed.map(|agreed| (agreed.client_bits(), agreed.client_takeover(), agreed.server_takeover()));
        assert_eq!(sizes, expected, "{answer}");
    }
    for answer in [
        "permessage-deflate, permessage-deflate",
        "permessage-bzip2",
        "x-webkit-deflate-frame",
        "permessage-deflate; mux",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=abc",
        "permessage-deflate; client_max_window_bits=010",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; \"",
        "permessage-deflate;",
    ] {
        assert!(PerMessageDeflate::new().accept(answer).is_err(), "{answer}");
    }
    // The caller's own sizes bound what the server allows.
    let small = PerMessageDeflate::new().client_max_window_bits(10).client_no_context_takeover(true);
    let agreed = small.accept("permessage-deflate; client_max_window_bits=12").unwrap().unwrap();
    assert_eq!((agreed.client_bits(), agreed.client_takeover()), (10, false));
    // A window of 256 bytes: messages go as they are.
    let tiny = PerMessageDeflate::new().accept("permessage-deflate; client_max_window_bits=8").unwrap().unwrap();
    assert!(tiny.deflater().is_none());
}

fn deflated(deflater: &mut Deflater, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    deflater.push(message, true, &mut out).unwrap();
    out
}

fn inflated(inflater: &mut Inflater, wire: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    let mut take = |piece: &[u8]| {
        out.extend_from_slice(piece);
        if out.len() > 1 << 20 { Err(Fault::MessageBytes) } else { Ok(()) }
    };
    inflater.push(wire, &mut take)?;
    inflater.finish(&mut take)?;
    Ok(out)
}

/// Bytes with repetitions near and far, which are the same in each run.
fn sample(len: usize) -> Vec<u8> {
    let mut seed = 1u32;
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match seed >> 30 {
            0 => bytes.extend_from_slice(b"a phrase that comes again and again"),
            1 if bytes.len() > 600 => {
                let at = bytes.len() - 1 - (seed >> 8) as usize % 590;
                let again = bytes[at..(at + 20).min(bytes.len())].to_vec();
                bytes.extend_from_slice(&again);
            }
            _ => bytes.extend_from_slice(&seed.to_be_bytes()),
        }
    }
    bytes.truncate(len);
    bytes
}

/// Each size of window and each level, with and without the window of the last message, whole and in parts.
#[test]
fn round_trips() {
    for bits in 9..=15 {
        for level in [1, 2, 6, 9] {
            for takeover in [true, false] {
                let (mut deflater, mut inflater) = (Deflater::new(bits, level, takeover), Inflater::new(takeover));
                for len in [0, 1, 5, 0, 0, 300, 70_000, 5] {
                    let message = sample(len);
                    let mut wire = Vec::new();
                    let halves = message.split_at(len / 3);
                    deflater.push(halves.0, false, &mut wire).unwrap();
                    deflater.push(halves.1, true, &mut wire).unwrap();
                    assert!(!wire.is_empty(), "WD9: a message has at least one byte");
                    assert_eq!(inflated(&mut inflater, &wire).unwrap(), message, "{bits} {level} {takeover} {len}");
                }
            }
        }
    }
}

/// The window that was agreed on is kept to: a decompressor that has only so much reads every message.
#[test]
fn windows_are_kept_to() {
    for bits in 9..=15 {
        for level in 1..=9 {
            let mut deflater = Deflater::new(bits, level, true);
            let mut small = flate2::Decompress::new_with_window_bits(false, bits);
            for len in [40_000, 3, 40_000] {
                let message = sample(len);
                let mut wire = deflated(&mut deflater, &message);
                wire.extend_from_slice(&[0, 0, 0xFF, 0xFF]);
                let mut out = Vec::with_capacity(len + 64);
                small.decompress_vec(&wire, &mut out, flate2::FlushDecompress::Sync).unwrap();
                assert_eq!(out, message, "{bits} {level}");
            }
        }
    }
}

/// RFC 7692, section 7.2.3, and WD9: the forms of one message.
#[test]
fn forms_of_a_message() {
    let hello = [
        ("one block", &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..]),
        ("no compression", &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]),
        ("BFINAL", &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]),
        ("two blocks", &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00]),
    ];
    let mut inflater = Inflater::new(true);
    for _ in 0..2 {
        for (row, wire) in hello {
            assert_eq!(inflated(&mut inflater, wire).unwrap(), b"Hello", "{row}");
        }
        for empty in [&[0x00][..], &[0x02, 0x00], &[]] {
            assert_eq!(inflated(&mut inflater, empty).unwrap(), b"", "{empty:?}");
        }
    }
    // The window of the last message (section 7.2.3.2), which nothing between them has touched.
    let mut inflater = Inflater::new(true);
    assert_eq!(inflated(&mut inflater, hello[0].1).unwrap(), b"Hello");
    assert_eq!(inflated(&mut inflater, &[]).unwrap(), b"");
    assert_eq!(inflated(&mut inflater, &[0xf2, 0x00, 0x11, 0x00, 0x00]).unwrap(), b"Hello");
    // Without it the distance leads to nothing.
    assert_eq!(inflated(&mut Inflater::new(false), &[0xf2, 0x00, 0x11, 0x00, 0x00]), Err(Fault::Deflate));
}

/// WD5: each message ends its stream, and the next begins a new one. Some servers leave out the byte that has to follow
/// the end (okhttp issues 8078 and 8551, bun pull request 34105).
#[test]
fn streams_that_end() {
    for takeover in [true, false] {
        let mut inflater = Inflater::new(takeover);
        for (len, end) in [(5, &[0][..]), (40_000, &[]), (0, &[]), (40_000, &[0]), (0, &[0]), (17, &[])] {
            let message = sample(len);
            let mut wire = Vec::with_capacity(len + 4096);
            let mut deflate = flate2::Compress::new(flate2::Compression::default(), false);
            deflate.compress_vec(&message, &mut wire, flate2::FlushCompress::Finish).unwrap();
            wire.extend_from_slice(end);
            assert_eq!(inflated(&mut inflater, &wire).unwrap(), message, "{len} {end:?}");
            // And one that goes on.
            assert_eq!(inflated(&mut inflater, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
        }
    }
}

/// A bomb ends at the limit, and broken data at once.
#[test]
fn what_is_refused() {
    let mut bomb = Deflater::new(15, 9, true);
    let wire = deflated(&mut bomb, &vec![0; 8 << 20]);
    assert!(wire.len() < 20_000, "{}", wire.len());
    assert_eq!(inflated(&mut Inflater::new(true), &wire), Err(Fault::MessageBytes));
    for wire in [&[0xff, 0xff, 0xff][..], &[0x07], &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x01, 0x01, 0x01, 0x01]]
    {
        assert_eq!(inflated(&mut Inflater::new(true), wire), Err(Fault::Deflate), "{wire:?}");
    }
}
