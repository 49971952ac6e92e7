//! What a server's bytes mean, however they are cut, and the close code of each broken rule.

use proptest::prelude::*;

use super::super::decoder::{Bounds, Decoder, Event};
use super::super::deflate::{Deflater, PerMessageDeflate};
use super::super::fault::Fault;
use super::super::message::{CloseFrame, Message, Payload};
use super::frames::frame;

const BOUNDS: Bounds = Bounds { frame: 16 << 20, message: 64 << 20, fragments: 131_072 };

fn decoder(compresses: bool) -> Decoder {
    bounded(compresses, BOUNDS)
}

fn bounded(compresses: bool, bounds: Bounds) -> Decoder {
    let agreed = PerMessageDeflate::new().accept("permessage-deflate").unwrap().unwrap();
    Decoder::new(bounds, compresses.then(|| agreed.inflater()))
}

/// Everything that comes of these bytes, in pieces of up to `piece`.
fn decoded(decoder: &mut Decoder, bytes: &[u8], piece: usize) -> (Vec<Event>, Option<Fault>) {
    let mut events = Vec::new();
    for mut piece in bytes.chunks(piece.max(1)) {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(fault) => return (events, Some(fault)),
            }
        }
        assert!(piece.is_empty());
    }
    (events, None)
}

fn text(text: &str) -> Event {
    Event::Message(Message::Text(text.into()))
}

fn binary(bytes: &[u8]) -> Event {
    Event::Message(Message::Binary(bytes.into()))
}

fn close(code: u16, reason: &str) -> Event {
    Event::Close(CloseFrame { code, reason: reason.into() })
}

fn payload(bytes: &[u8]) -> Payload {
    Payload::new(bytes).unwrap()
}

/// Good frames, each cut at every byte and byte by byte (WC5, Autobahn 1, 2, 5, 6).
#[test]
fn good_frames() {
    let long = vec![b'*'; 70_000];
    let table: Vec<(&str, Vec<u8>, Vec<Event>)> = vec![
        ("text", frame(0x81, b"hello"), vec![text("hello")]),
        ("empty", [frame(0x81, b""), frame(0x82, b"")].concat(), vec![text(""), binary(b"")]),
        ("126 bytes", frame(0x82, &[7; 126]), vec![binary(&[7; 126])]),
        ("65,536 bytes", frame(0x82, &long[..65_536]), vec![binary(&long[..65_536])]),
        (
            "fragments, some of them empty",
            [frame(0x01, b"a"), frame(0x00, b""), frame(0x00, b"b"), frame(0x80, b"")].concat(),
            vec![text("ab")],
        ),
        (
            "control frames between fragments",
            [frame(0x01, b"a"), frame(0x89, b"p"), frame(0x8A, b""), frame(0x80, b"b")].concat(),
            vec![Event::Ping(payload(b"p")), Event::Pong(payload(b"")), text("ab")],
        ),
        ("the longest ping", frame(0x89, &[1; 125]), vec![Event::Ping(payload(&[1; 125]))]),
        (
            "a letter over fragments",
            [frame(0x01, b"\xF0\x9F"), frame(0x00, b"\x98"), frame(0x80, b"\x80!")].concat(),
            vec![text("\u{1F600}!")],
        ),
        (
            "the last letters",
            frame(0x81, "\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10FFFF}".as_bytes()),
            vec![text("\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10FFFF}")],
        ),
        ("a close without a code", frame(0x88, b""), vec![close(1005, "")]),
        ("a close", frame(0x88, b"\x03\xE8a reason of 20 bytes"), vec![close(1000, "a reason of 20 bytes")]),
        ("nothing after a close", [frame(0x88, b""), vec![0xFF; 9]].concat(), vec![close(1005, "")]),
        ("a close between fragments", [frame(0x01, b"a"), frame(0x88, b"\x03\xE9")].concat(), vec![close(1001, "")]),
    ];
    for (row, bytes, expected) in table {
        for piece in [1, 2, 3, 7, 4096, bytes.len()] {
            let (events, fault) = decoded(&mut decoder(false), &bytes, piece);
            assert_eq!((&events, fault), (&expected, None), "{row}, {piece} bytes at a time");
        }
        for at in 0..bytes.len().min(300) {
            let mut decoder = decoder(false);
            let (mut events, _) = decoded(&mut decoder, &bytes[..at], at);
            events.extend(decoded(&mut decoder, &bytes[at..], usize::MAX).0);
            assert_eq!(events, expected, "{row}, cut at {at}");
        }
    }
}

/// Every malformed frame of RFC 6455, sections 5 and 7, and of RFC 7692, section 6, with the code that it must cause.
///
/// Each fails with the byte that shows it, so the bytes after it are left out.
#[test]
fn broken_rules() {
    use Fault::*;
    let control = |first: u8, len: u8| vec![first, len];
    let table: &[(&str, Vec<u8>, Fault, u16)] = &[
        ("RSV1", vec![0xC1], Compressed, 1002),
        ("RSV2", vec![0xA1], ReservedBits, 1002),
        ("RSV3", vec![0x91], ReservedBits, 1002),
        ("RSV1 of a ping", vec![0xC9], Compressed, 1002),
        ("RSV2 of a close", vec![0xA8], ReservedBits, 1002),
        ("RSV3 between fragments", [frame(0x01, b"a"), vec![0x90]].concat(), ReservedBits, 1002),
        ("opcode 3", vec![0x83], ReservedOpcode, 1002),
        ("opcode 4", vec![0x84], ReservedOpcode, 1002),
        ("opcode 5", vec![0x85], ReservedOpcode, 1002),
        ("opcode 6", vec![0x86], ReservedOpcode, 1002),
        ("opcode 7", vec![0x07], ReservedOpcode, 1002),
        ("opcode 11", vec![0x8B], ReservedOpcode, 1002),
        ("opcode 12", vec![0x8C], ReservedOpcode, 1002),
        ("opcode 13", vec![0x8D], ReservedOpcode, 1002),
        ("opcode 14", vec![0x8E], ReservedOpcode, 1002),
        ("opcode 15", vec![0x8F], ReservedOpcode, 1002),
        ("masked", vec![0x81, 0x85], Masked, 1002),
        ("masked and empty", vec![0x81, 0x80], Masked, 1002),
        ("a masked close", vec![0x88, 0x82], Masked, 1002),
        ("a ping in fragments", vec![0x09], FragmentedControl, 1002),
        ("a pong in fragments", vec![0x0A], FragmentedControl, 1002),
        ("a close in fragments", vec![0x08], FragmentedControl, 1002),
        ("a ping of 126 bytes", control(0x89, 126), LongControl, 1002),
        ("a pong with a length of 8 bytes", control(0x8A, 127), LongControl, 1002),
        ("a close of 126 bytes", control(0x88, 126), LongControl, 1002),
        ("2^63 bytes", vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Length, 1002),
        ("2^64-1 bytes", [vec![0x82, 127], vec![0xFF; 8]].concat(), Length, 1002),
        ("2^63-1 bytes", [vec![0x82, 127, 0x7F], vec![0xFF; 7]].concat(), FrameBytes, 1009),
        ("125 in two bytes", vec![0x82, 126, 0, 125], LengthForm, 1002),
        ("0 in two bytes", vec![0x82, 126, 0, 0], LengthForm, 1002),
        ("65,535 in eight bytes", vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], LengthForm, 1002),
        ("a frame that is too long", vec![0x82, 127, 0, 0, 0, 0, 1, 0, 0, 1], FrameBytes, 1009),
        ("a continuation of nothing", vec![0x80, 0x00], NothingToContinue, 1002),
        ("one that is not final", vec![0x00, 0x00], NothingToContinue, 1002),
        ("one after a whole message", [frame(0x81, b"a"), vec![0x80, 0]].concat(), NothingToContinue, 1002),
        ("a text inside a text", [frame(0x01, b"a"), vec![0x81, 0]].concat(), Interleaved, 1002),
        ("a binary inside a text", [frame(0x01, b"a"), vec![0x02, 0]].concat(), Interleaved, 1002),
        ("a close of one byte", frame(0x88, b"\x03"), CloseLength, 1002),
        ("close 0", frame(0x88, &0u16.to_be_bytes()), CloseCode, 1002),
        ("close 999", frame(0x88, &999u16.to_be_bytes()), CloseCode, 1002),
        ("close 1004", frame(0x88, &1004u16.to_be_bytes()), CloseCode, 1002),
        ("close 1005", frame(0x88, &1005u16.to_be_bytes()), CloseCode, 1002),
        ("close 1006", frame(0x88, &1006u16.to_be_bytes()), CloseCode, 1002),
        ("close 1015", frame(0x88, &1015u16.to_be_bytes()), CloseCode, 1002),
        ("close 1016", frame(0x88, &1016u16.to_be_bytes()), CloseCode, 1002),
        ("close 2999", frame(0x88, &2999u16.to_be_bytes()), CloseCode, 1002),
        ("close 5000", frame(0x88, &5000u16.to_be_bytes()), CloseCode, 1002),
        ("close 65535", frame(0x88, &[0xFF, 0xFF]), CloseCode, 1002),
        ("a reason that is no text", frame(0x88, b"\x03\xE8\xFF"), CloseReason, 1007),
        ("a reason cut inside a letter", frame(0x88, b"\x03\xE8\xE2\x82"), CloseReason, 1007),
        ("a byte that no text has", frame(0x01, b"\xC0"), Text, 1007),
        ("C1", frame(0x01, b"\xC1"), Text, 1007),
        ("F5", frame(0x01, b"\xF5"), Text, 1007),
        ("FE", frame(0x01, b"\xFE"), Text, 1007),
        ("a letter that begins in its middle", frame(0x01, b"\x80"), Text, 1007),
        ("an overlong letter, at its second byte", frame(0x01, b"\xE0\x80"), Text, 1007),
        ("a surrogate, at its second byte", frame(0x01, b"\xED\xA0"), Text, 1007),
        ("an overlong letter of four bytes", frame(0x01, b"\xF0\x80"), Text, 1007),
        ("a letter beyond the last", frame(0x01, b"\xF4\x90"), Text, 1007),
        ("a letter that breaks off", frame(0x01, b"\xE2\x82a"), Text, 1007),
        ("a text that ends inside a letter", frame(0x81, b"\xE2\x82"), Text, 1007),
        ("the same over fragments", [frame(0x01, b"\xF4"), frame(0x00, b"\x90")].concat(), Text, 1007),
        ("a letter that never ends", [frame(0x01, b"\xF0\x9F"), frame(0x80, b"")].concat(), Text, 1007),
    ];
    for (row, bytes, fault, code) in table {
        for piece in [1, 2, usize::MAX] {
            let found = decoded(&mut decoder(false), bytes, piece).1;
            assert_eq!(found, Some(*fault), "{row}, {piece} bytes at a time");
        }
        assert_eq!(fault.code(), *code, "{row}");
        // The byte before the last shows nothing yet.
        let before = decoded(&mut decoder(false), &bytes[..bytes.len() - 1], usize::MAX).1;
        assert_eq!(before, None, "{row} fails too early");
        // After it nothing is read.
        let mut decoder = decoder(false);
        decoded(&mut decoder, bytes, usize::MAX);
        assert_eq!(decoded(&mut decoder, &frame(0x81, b"a"), usize::MAX), (Vec::new(), None), "{row}");
    }
    for (row, bytes, fault) in [
        ("RSV1 of a continuation", [frame(0x01, b"a"), vec![0xC0]].concat(), CompressedPart),
        ("RSV1 of a ping", vec![0xC9], CompressedPart),
        ("RSV1 of a close", vec![0xC8], CompressedPart),
        ("RSV2", vec![0xE1], ReservedBits),
        ("broken data", frame(0x41, b"\xFF\xFF\xFF"), Deflate),
    ] {
        assert_eq!(decoded(&mut decoder(true), &bytes, usize::MAX).1, Some(fault), "{row}");
    }
}

/// A16.4, A16.5: the limits hold for what is announced, and for the sum of it.
#[test]
fn limits() {
    let bounds = Bounds { frame: 10, message: 15, fragments: 4 };
    let table = [
        ("a frame", frame(0x82, &[0; 10]), None),
        ("a longer one", frame(0x82, &[0; 11])[..2].to_vec(), Some(Fault::FrameBytes)),
        ("two frames", [frame(0x02, &[0; 10]), frame(0x80, &[0; 5])].concat(), None),
        ("one byte more", [frame(0x02, &[0; 10]), vec![0x80, 6]].concat(), Some(Fault::MessageBytes)),
        ("four fragments", [frame(0x02, b""), frame(0, b""), frame(0, b""), frame(0x80, b"")].concat(), None),
        (
            "five",
            [frame(0x02, b""), frame(0, b""), frame(0, b""), frame(0, b""), frame(0x80, b"")].concat(),
            Some(Fault::Fragments),
        ),
        ("control frames do not count", [frame(0x02, b"a"), frame(0x89, &[0; 99]), frame(0x80, b"")].concat(), None),
    ];
    for (row, bytes, expected) in table {
        assert_eq!(decoded(&mut bounded(false, bounds), &bytes, usize::MAX).1, expected, "{row}");
    }
    let mut wire = Vec::new();
    Deflater::new(15, 9, true).push(&[0; 16], true, &mut wire).unwrap();
    assert!(wire.len() <= 10);
    let compressed = frame(0xC2, &wire);
    assert_eq!(decoded(&mut bounded(true, bounds), &compressed, 1).1, Some(Fault::MessageBytes), "after inflating");
}

/// WD7: plain messages between compressed ones arrive as they are, and do not touch the window. A ping inside neither.
#[test]
fn plain_and_compressed_messages() {
    let mut deflater = Deflater::new(15, 6, true);
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    for round in 0..4 {
        let long = format!("{round} the same words again and again, the same words");
        let mut wire = Vec::new();
        deflater.push(long.as_bytes(), true, &mut wire).unwrap();
        let (first, last) = wire.split_at(wire.len() / 2);
        bytes.extend([frame(0x41, first), frame(0x89, b"x"), frame(0x80, last), frame(0x81, b"plain")].concat());
        expected.extend([Event::Ping(payload(b"x")), text(&long), text("plain")]);
    }
    bytes.extend([frame(0xC1, b""), frame(0xC1, b"\0"), frame(0xC2, b"\x02\0")].concat());
    expected.extend([text(""), text(""), binary(b"")]);
    for piece in [1, 5, usize::MAX] {
        assert_eq!(decoded(&mut decoder(true), &bytes, piece), (expected.clone_events(), None), "{piece}");
    }
}

trait CloneEvents {
    fn clone_events(&self) -> Vec<Event>;
}

impl CloneEvents for Vec<Event> {
    fn clone_events(&self) -> Vec<Event> {
        let clone = |event: &Event| match event {
            Event::Message(message) => Event::Message(message.clone()),
            Event::Ping(payload) => Event::Ping(*payload),
            Event::Pong(payload) => Event::Pong(*payload),
            Event::Close(close) => Event::Close(close.clone()),
        };
        self.iter().map(clone).collect()
    }
}

/// Frames that are mostly good, and then any bytes.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop_oneof![Just(0x81u8), Just(0x82), Just(0x01), Just(0x02), Just(0x00), Just(0x80), Just(0x89), Just(0x8A)],
        2 => prop_oneof![Just(0xC1u8), Just(0x41), Just(0x88)],
        1 => any::<u8>(),
    ];
    let content = prop_oneof![
        4 => "\\PC{0,40}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..140),
    ];
    let frames = proptest::collection::vec((first, content).prop_map(|(first, content)| frame(first, &content)), 0..8);
    (frames, proptest::collection::vec(any::<u8>(), 0..8)).prop_map(|(frames, rest)| [frames.concat(), rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The events and the close code do not depend on how the bytes are cut. Of two faults in compressed data, that of
    /// the text may come before that of the data.
    #[test]
    fn any_split_gives_the_same(bytes in stream(), pieces in proptest::collection::vec(1..50usize, 1..20), compresses: bool) {
        let whole = decoded(&mut decoder(compresses), &bytes, usize::MAX);
        let (mut decoder, mut events, mut fault, mut rest) = (decoder(compresses), Vec::new(), None, &bytes[..]);
        for piece in pieces.iter().cycle() {
            if rest.is_empty() || fault.is_some() {
                break;
            }
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            rest = later;
            let (more, broken) = decoded(&mut decoder, now, usize::MAX);
            events.extend(more);
            fault = broken;
        }
        prop_assert_eq!((events, fault.map(Fault::code)), (whole.0, whole.1.map(Fault::code)));
    }
}
