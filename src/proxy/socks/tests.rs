//! Tables of handshakes byte by byte, and the property that pieces change nothing.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

/// How a handshake stands after some bytes of the proxy.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Open, after so many bytes.
    Open(usize),
    Wants(usize),
    Refused(Refusal),
}

/// Gives these bytes to a handshake, in pieces of these sizes. Returns what it sends, one message each, and the verdict.
fn run(mut handshake: Handshake, bytes: &[u8], sizes: &[usize]) -> (Vec<Vec<u8>>, Verdict) {
    let (mut sent, mut at, mut sizes) = (vec![handshake.say()], 0, sizes.iter().cycle());
    while handshake.wants() > 0 && at < bytes.len() {
        let size = sizes.next().map_or(usize::MAX, |size| *size).min(bytes.len() - at);
        let heard = handshake.hear(&bytes[at..at + size]);
        sent.extend(Some(handshake.say()).filter(|out| !out.is_empty()));
        match heard {
            Ok(heard) => at += heard,
            Err(refusal) => return (sent, Verdict::Refused(refusal)),
        }
    }
    let verdict = if handshake.wants() == 0 { Verdict::Open(at) } else { Verdict::Wants(handshake.wants()) };
    (sent, verdict)
}

fn address(text: &str) -> Place<'_> {
    Place::Address(text.parse::<SocketAddr>().unwrap())
}

fn login(login: &'static str, password: &'static str) -> Option<Login<'static>> {
    Some(Login { login, password })
}

const OPENED: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/// What is asked for with which login, whether it is required, the answers before the reply, and all that is sent.
type Row<'a> = (&'a str, Place<'a>, Option<Login<'static>>, bool, &'a [u8], &'a [&'a [u8]]);

/// RFC 1928 and RFC 1929: the messages of both sides.
#[test]
fn socks5() {
    let table: [Row<'_>; 8] = [
        (
            "SOX-03: an address",
            address("192.0.2.1:80"),
            None,
            false,
            &[5, 0],
            &[b"\x05\x01\x00", b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"],
        ),
        (
            "an IPv6 address",
            address("[2001:db8::1]:443"),
            None,
            false,
            &[5, 0],
            &[
                b"\x05\x01\x00",
                b"\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\xbb",
            ],
        ),
        (
            "SOX-04: a name",
            Place::Name("named.test", 8080),
            None,
            false,
            &[5, 0],
            &[b"\x05\x01\x00", b"\x05\x01\x00\x03\x0anamed.test\x1f\x90"],
        ),
        (
            "SOX-07: a login",
            Place::Name("h", 80),
            login("user", "p:w"),
            false,
            &[5, 2, 1, 0],
            &[b"\x05\x02\x00\x02", b"\x01\x04user\x03p:w", b"\x05\x01\x00\x03\x01h\x00\x50"],
        ),
        (
            "a verdict of another version, as some proxies send it",
            Place::Name("h", 80),
            login("user", "pw"),
            true,
            &[5, 2, 5, 0],
            &[b"\x05\x01\x02", b"\x01\x04user\x02pw", b"\x05\x01\x00\x03\x01h\x00\x50"],
        ),
        (
            "S3: a login that the proxy does not want",
            Place::Name("h", 80),
            login("user", "pw"),
            false,
            &[5, 0],
            &[b"\x05\x02\x00\x02", b"\x05\x01\x00\x03\x01h\x00\x50"],
        ),
        (
            "no password, as Tor users write it",
            Place::Name("h", 80),
            login("alice", ""),
            false,
            &[5, 2, 1, 0],
            &[b"\x05\x02\x00\x02", b"\x01\x05alice\x00", b"\x05\x01\x00\x03\x01h\x00\x50"],
        ),
        (
            "UTF-8",
            Place::Name("h", 80),
            login("j\u{f6}", "\u{20ac}"),
            false,
            &[5, 2, 1, 0],
            &[b"\x05\x02\x00\x02", "\u{1}\u{3}j\u{f6}\u{3}\u{20ac}".as_bytes(), b"\x05\x01\x00\x03\x01h\x00\x50"],
        ),
    ];
    for (row, place, login, required, answers, expected) in table {
        let handshake = Handshake::socks5(place, login, required).unwrap();
        let bytes = [answers, OPENED].concat();
        let (sent, verdict) = run(handshake, &bytes, &[1]);
        assert_eq!(
            (sent, verdict),
            (expected.iter().map(|&out| out.to_vec()).collect(), Verdict::Open(bytes.len())),
            "{row}"
        );
    }
}

/// The messages of SOCKS4 and SOCKS4a.
#[test]
fn socks4() {
    let table: [(&str, Place<'_>, &str, &[u8]); 4] = [
        ("SOX-10: an address", address("192.0.2.1:80"), "", b"\x04\x01\x00\x50\xc0\x00\x02\x01\x00"),
        ("a user id", address("192.0.2.1:80"), "me", b"\x04\x01\x00\x50\xc0\x00\x02\x01me\x00"),
        ("SOX-10: a name", Place::Name("named.test", 80), "", b"\x04\x01\x00\x50\x00\x00\x00\x01\x00named.test\x00"),
        ("both", Place::Name("h", 443), "me", b"\x04\x01\x01\xbb\x00\x00\x00\x01me\x00h\x00"),
    ];
    for (row, place, user, expected) in table {
        let handshake = Handshake::socks4(place, user).unwrap();
        let (sent, verdict) = run(handshake, &[0, 90, 1, 2, 3, 4, 5, 6, 7], &[1]);
        assert_eq!((sent, verdict), (vec![expected.to_vec()], Verdict::Open(8)), "{row}");
    }
}

/// S1: an address of each type, with the bytes that belong to it and no others.
#[test]
fn addresses_in_replies() {
    let name = |len: u8| [&[5, 0, 0, 3, len][..], &vec![b'x'; len.into()], &[0, 80]].concat();
    let replies = [
        OPENED.to_vec(),
        [&[5, 0, 0, 4][..], &[7; 18]].concat(),
        vec![5, 0, 0, 3, 0, 0, 0],
        name(1),
        name(255),
        // The third byte is reserved, and says nothing.
        vec![5, 0, 9, 1, 1, 2, 3, 4, 5, 6],
    ];
    for reply in replies {
        let whole = [&[5, 0][..], &reply].concat();
        for len in 0..whole.len() {
            let (_, verdict) =
                run(Handshake::socks5(address("192.0.2.1:80"), None, false).unwrap(), &whole[..len], &[]);
            assert!(matches!(verdict, Verdict::Wants(1..)), "{len} of {reply:?}");
        }
        let glued = [&whole[..], b"HTTP"].concat();
        let (_, verdict) = run(Handshake::socks5(address("192.0.2.1:80"), None, false).unwrap(), &glued, &[]);
        assert_eq!(verdict, Verdict::Open(whole.len()), "{reply:?}");
        assert!(whole.len() - 2 <= LONGEST_MESSAGE);
    }
}

/// Each reply that opens no tunnel, and what its error says.
#[test]
fn refusals() {
    let five = |login, required| Handshake::socks5(Place::Name("h", 80), login, required).unwrap();
    let four = || Handshake::socks4(address("192.0.2.1:80"), "me").unwrap();
    let table: [(Handshake, &[u8], &str); 30] = [
        (five(None, false), &[5, 0, 5, 1], "it failed, and does not say how (SOCKS5 reply 1)"),
        (five(None, false), &[5, 0, 5, 2], "its rules do not allow this connection (SOCKS5 reply 2)"),
        (five(None, false), &[5, 0, 5, 3], "it cannot reach the network of the server (SOCKS5 reply 3)"),
        (five(None, false), &[5, 0, 5, 4], "it cannot reach the server (SOCKS5 reply 4)"),
        (five(None, false), &[5, 0, 5, 5], "the server refuses the connection (SOCKS5 reply 5)"),
        (five(None, false), &[5, 0, 5, 6], "the server did not answer in time (SOCKS5 reply 6)"),
        (five(None, false), &[5, 0, 5, 7], "it does not know the command (SOCKS5 reply 7)"),
        (five(None, false), &[5, 0, 5, 8], "it does not know this type of address (SOCKS5 reply 8)"),
        (
            five(None, false),
            &[5, 0, 5, 9],
            "it failed, with a code that the standard does not have (SOCKS5 reply 0x09)",
        ),
        (five(None, false), &[5, 0, 5, 0xF0], "the onion service was not found (SOCKS5 reply 0xf0)"),
        (five(None, false), &[5, 0, 5, 0xF1], "the descriptor of the onion service is not valid (SOCKS5 reply 0xf1)"),
        (five(None, false), &[5, 0, 5, 0xF2], "the introduction to the onion service failed (SOCKS5 reply 0xf2)"),
        (five(None, false), &[5, 0, 5, 0xF3], "the rendezvous with the onion service failed (SOCKS5 reply 0xf3)"),
        (five(None, false), &[5, 0, 5, 0xF4], "the onion service wants client authorization (SOCKS5 reply 0xf4)"),
        (
            five(None, false),
            &[5, 0, 5, 0xF5],
            "the client authorization for the onion service is wrong (SOCKS5 reply 0xf5)",
        ),
        (five(None, false), &[5, 0, 5, 0xF6], "the address of the onion service is not valid (SOCKS5 reply 0xf6)"),
        (
            five(None, false),
            &[5, 0, 5, 0xF7],
            "the introduction to the onion service took too long (SOCKS5 reply 0xf7)",
        ),
        (five(None, false), &[5, 0xFF], "it wants a login"),
        (five(login("a", "b"), false), &[5, 0xFF], "it does not accept a login and a password"),
        (five(login("a", "b"), false), &[5, 2, 1, 1], "it does not accept this login and password"),
        (five(None, false), &[5, 2], "it chooses the method of authentication 2, which was not offered"),
        (five(None, false), &[5, 1], "it chooses the method of authentication 1, which was not offered"),
        (five(login("a", "b"), true), &[5, 0], "it chooses the method of authentication 0, which was not offered"),
        (five(None, false), b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP, so the scheme of its URL is http"),
        (five(None, false), &[0, 91], "it speaks SOCKS4"),
        (five(None, false), &[5, 0, 7], "it begins with the byte 0x07"),
        (five(None, false), &[5, 0, 5, 0, 0, 2], "it sends an address of the unknown type 2"),
        (four(), &[5, 0xFF], "it speaks SOCKS5"),
        (four(), &[0, 91], "it refuses the request, or cannot reach the server (SOCKS4 reply 91)"),
        (four(), &[0, 93], "the identd of this machine names another user than the request (SOCKS4 reply 93)"),
    ];
    for (handshake, bytes, expected) in table {
        let (sent, verdict) = run(handshake, bytes, &[1]);
        let Verdict::Refused(refusal) = verdict else { panic!("{expected}: {verdict:?}") };
        assert_eq!(refusal.to_string(), expected);
        assert_eq!(sent.len(), 1 + usize::from(bytes.len() > 2 && bytes[0] == 5), "{expected}");
    }
    for (code, words) in [(92, "it found no identd"), (90 + 11, "it failed")] {
        let (_, verdict) = run(four(), &[0, code], &[]);
        let Verdict::Refused(refusal) = verdict else { panic!("{verdict:?}") };
        assert!(refusal.to_string().starts_with(words), "{refusal}");
        assert_eq!(refusal.code(), Some(code));
    }
}

/// A2.17: what cannot be written is refused before a byte leaves.
#[test]
fn what_cannot_be_sent() {
    let long = "x".repeat(256);
    let longest = &long[..255];
    fn name(name: &str) -> Place<'_> {
        Place::Name(name, 80)
    }
    for (place, expected) in [
        (name(longest), None),
        (name(&long), Some(Unsendable::Name)),
        (name(&"x".repeat(300)), Some(Unsendable::Name)),
        (name(&"x".repeat(65536 + 1)), Some(Unsendable::Name)),
        (name(""), Some(Unsendable::Name)),
    ] {
        assert_eq!(Handshake::socks5(place, None, false).err(), expected);
        assert_eq!(Handshake::socks4(place, "").err(), expected);
    }
    let five = |login, password| Handshake::socks5(name("h"), Some(Login { login, password }), false).err();
    assert_eq!(
        [five(longest, longest), five(&long, ""), five("", &long)],
        [None, Some(Unsendable::Login), Some(Unsendable::Password)]
    );
    assert_eq!(Handshake::socks4(name("a\0b"), "").err(), Some(Unsendable::NulInName));
    assert_eq!(Handshake::socks4(name("a"), "a\0b").err(), Some(Unsendable::NulInLogin));
    assert_eq!(Handshake::socks4(name("a"), &long).err(), Some(Unsendable::Login));
    assert_eq!(Handshake::socks4(address("[::1]:80"), "").err(), Some(Unsendable::V6));
}

/// Which proxies a client can be built with.
#[test]
fn what_a_proxy_can_be_told() {
    let long = "x".repeat(256);
    let proxy = |url: &str| Proxy::parse(url).unwrap();
    for (row, proxy, is_ok) in [
        ("a login", proxy("socks5://a:b@h"), true),
        ("a colon in it", proxy("socks5h://a%3Ab:c@h"), true),
        ("the longest", proxy("socks5://h").auth((&long[..255], &long[..255])), true),
        ("too long", proxy("socks5://h").auth((&*long, "x")), false),
        ("a long password", proxy("socks5h://h").auth(("x", &*long)), false),
        ("a long user id", proxy("socks4://h").auth((&*long, "x")), false),
        ("SOCKS4 sends no password", proxy("socks4://h").auth(("x", &*long)), true),
        ("NUL in a user id", proxy("socks4a://h").auth(("a\0b", "")), false),
        ("a token", proxy("socks5://h").auth(Auth::bearer("abc")), false),
        ("Digest", proxy("socks5://h").auth(crate::DigestAuth::new("a", "b")), false),
        ("a login is required", proxy("socks5://a:b@h").require_auth(true), true),
        ("one that is not there", proxy("socks5://h").require_auth(true), false),
        ("SOCKS4 requires none", proxy("socks4://a:b@h").require_auth(true), false),
        ("HTTP requires none", proxy("http://a:b@h").require_auth(true), false),
    ] {
        assert_eq!(proxy.check().is_ok(), is_ok, "{row}");
        if let Err(error) = proxy.check() {
            assert!(!format!("{error} {error:?}").contains("xxx"), "{row}");
        }
    }
    assert!(Proxy::parse(&format!("socks5://{long}:b@h")).is_err(), "also by the URL");
    assert!(Proxy::parse("socks5://%ff:b@h").is_err());
    assert!(Proxy::parse("socks5://h").unwrap().header("X", "y").is_err());
    let words = Proxy::parse("socks://h").unwrap_err();
    assert!(matches!(words.kind(), ErrorKind::InvalidUrl(_)) && words.to_string().contains("socks5h"), "{words}");
}

/// Bytes that are often those of a proxy.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let address = prop_oneof![
        any::<[u8; 6]>().prop_map(|rest| [&[1][..], &rest].concat()),
        any::<[u8; 18]>().prop_map(|rest| [&[4][..], &rest].concat()),
        (any::<u8>(), any::<u8>()).prop_map(|(len, byte)| [&[3, len][..], &vec![byte; usize::from(len) + 2]].concat()),
        any::<[u8; 3]>().prop_map(Vec::from),
    ];
    let method =
        prop_oneof![Just(vec![5, 0]), Just(vec![5, 2, 1, 0]), Just(vec![]), any::<[u8; 2]>().prop_map(Vec::from)];
    let code = prop_oneof![Just(0), any::<u8>()];
    let five = (method, code, address, any::<[u8; 2]>())
        .prop_map(|(method, code, address, more)| [&method[..], &[5, code, 0], &address, &more].concat());
    prop_oneof![five, any::<[u8; 9]>().prop_map(|bytes| [&[0, 90][..], &bytes].concat()), any::<Vec<u8>>()]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any split of the bytes gives the same verdict, and the same messages before it.
    #[test]
    fn pieces_change_nothing(
        bytes in answers(),
        sizes in proptest::collection::vec(1..40_usize, 1..8),
        kind in 0..4,
    ) {
        let begin = || match kind {
            0 => Handshake::socks4(Place::Name("named.test", 80), "me").unwrap(),
            1 => Handshake::socks5(address("[::1]:80"), None, false).unwrap(),
            2 => Handshake::socks5(Place::Name("named.test", 80), login("a", "b"), false).unwrap(),
            _ => Handshake::socks5(Place::Name("named.test", 80), login("a", "b"), true).unwrap(),
        };
        let byte_by_byte = run(begin(), &bytes, &[1]);
        let in_pieces = run(begin(), &bytes, &sizes);
        prop_assert_eq!(&byte_by_byte.1, &in_pieces.1);
        // Messages that one piece answers together come out together.
        prop_assert_eq!(byte_by_byte.0.concat(), in_pieces.0.concat());
    }
}
