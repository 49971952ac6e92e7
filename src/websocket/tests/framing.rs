//! Frames that this side sends, and masks.

use std::collections::HashSet;

use super::super::frame::{HEAD, Head, Kind, Masks, apply};
use super::super::message::{CloseFrame, Payload};

/// Returns a frame as it is written into room that was used before.
fn written(head: Head, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut out = vec![0xAA; HEAD + payload.len() + 9];
    let len = head.write(payload, mask, &mut out);
    assert!(out[len.max(HEAD + payload.len())..].iter().all(|byte| *byte == 0xAA));
    out.truncate(len);
    out
}

/// Lengths at each border, in the fewest bytes, with FIN, the opcode and a mask.
#[test]
fn heads_of_frames() {
    for (len, head) in [
        (0, &[0x82, 0x80][..]),
        (1, &[0x82, 0x81]),
        (7, &[0x82, 0x87]),
        (8, &[0x82, 0x88]),
        (21, &[0x82, 0x95]),
        (125, &[0x82, 0xFD]),
        (126, &[0x82, 0xFE, 0, 126]),
        (65_535, &[0x82, 0xFE, 0xFF, 0xFF]),
        (65_536, &[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let mask = [1, 2, 3, 4];
        let mut out =
            written(Head { kind: Kind::Binary, is_final: true, compressed: false, len: len as u64 }, &payload, mask);
        let body = out.split_off(head.len());
        assert_eq!(out, head, "{len}");
        assert_eq!(body[..4], mask);
        let masked: Vec<u8> = payload.iter().zip([1, 2, 3, 4].into_iter().cycle()).map(|(a, b)| a ^ b).collect();
        assert_eq!(body[4..], masked, "{len}");
    }
    for (kind, opcode) in [
        (Kind::Continuation, 0),
        (Kind::Text, 1),
        (Kind::Binary, 2),
        (Kind::Close, 8),
        (Kind::Ping, 9),
        (Kind::Pong, 10),
    ] {
        let out = written(Head { kind, is_final: false, compressed: true, len: 0 }, b"", [0; 4]);
        assert_eq!(out[0], 0x40 | opcode, "{kind:?}");
    }
}

/// A16.7: no two frames in a row have one mask, and none comes again beyond chance.
#[test]
fn masks_are_not_repeated() {
    let mut masks = Masks::new();
    let drawn: Vec<[u8; 4]> = (0..10_000).map(|_| masks.next().unwrap()).collect();
    assert!(drawn.windows(2).all(|two| two[0] != two[1]));
    // The chance that more than five of 10,000 come twice is below one in a million.
    assert!(drawn.iter().collect::<HashSet<_>>().len() > 9_994);
    let mut bytes = *b"the quick brown fox";
    apply([9, 8, 7, 6], &mut bytes);
    apply([9, 8, 7, 6], &mut bytes);
    assert_eq!(&bytes, b"the quick brown fox");
}

/// WC7: what cannot be sent is refused before anything is.
#[test]
fn closes_that_can_be_sent() {
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        let payload = CloseFrame::payload(code, "why").unwrap();
        assert_eq!(CloseFrame::read(&payload).unwrap(), CloseFrame { code, reason: "why".into() });
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        assert!(CloseFrame::payload(code, "").is_err(), "{code}");
        assert!(CloseFrame::read(&code.to_be_bytes()).is_err(), "{code}");
    }
    assert_eq!(CloseFrame::payload(1000, &"x".repeat(123)).unwrap().len(), 125);
    assert!(CloseFrame::payload(1000, &"x".repeat(124)).is_err());
    assert!(Payload::new(&[0; 125]).is_some() && Payload::new(&[0; 126]).is_none());
}
