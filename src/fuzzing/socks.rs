//! Handshakes with SOCKS proxies: what is sent says what was asked for, and pieces change no verdict.

use std::net::{IpAddr, SocketAddr};

use super::input::{Input, pieces};
use crate::proxy::socks::{Handshake, LONGEST_MESSAGE, Login, Place, Refusal, Unsendable};

pub fn socks(data: &[u8]) {
    let mut input = Input::new(data);
    let is_4 = input.flag();
    let (login, password) = (text(&mut input), text(&mut input));
    let login = input.flag().then_some(Login { login: &login, password: &password });
    let required = input.flag();
    let name = text(&mut input);
    let port = input.number(0xFFFF) as u16;
    let place = match input.number(2) {
        0 => Place::Address(SocketAddr::new(IpAddr::from(array::<4>(&mut input)), port)),
        1 => Place::Address(SocketAddr::new(IpAddr::from(array::<16>(&mut input)), port)),
        _ => Place::Name(&name, port),
    };
    let begin = || match is_4 {
        true => Handshake::socks4(place, login.map_or("", |login| login.login)),
        false => Handshake::socks5(place, login, required),
    };
    let sizes = input.bytes(8);
    let bytes = input.rest();
    let (Ok(one), Ok(other)) = (begin(), begin()) else {
        let why = begin().err().expect("it cannot be sent");
        return assert!(cannot_be_sent(why, place, login, is_4), "{why:?}");
    };
    let whole = run(one, bytes, &[]);
    assert_eq!(whole, run(other, bytes, sizes), "in pieces");
    let (sent, end) = whole;
    if let End::Open(len) = end {
        let offered: &[u8] = match (login, required) {
            (None, _) => &[0],
            (Some(_), false) => &[0, 2],
            (Some(_), true) => &[2],
        };
        match is_4 {
            true => assert!(len == 8 && bytes[..2] == [0, 90]),
            false => assert!(opens(&bytes[..len], offered), "{:?}", &bytes[..len]),
        }
        let expected = match is_4 {
            true => four(place, login),
            false => five(place, login.filter(|_| bytes[1] == 2), offered),
        };
        assert_eq!(sent, expected, "what the proxy reads");
    }
}

fn text(input: &mut Input<'_>) -> String {
    let text = String::from_utf8_lossy(input.bytes(20)).into_owned();
    // Some are as long as none may be.
    if input.number(7) == 0 { text.repeat(14) } else { text }
}

fn array<const N: usize>(input: &mut Input<'_>) -> [u8; N] {
    std::array::from_fn(|_| input.byte())
}

fn cannot_be_sent(why: Unsendable, place: Place<'_>, login: Option<Login<'_>>, is_4: bool) -> bool {
    let name = |is: fn(&str) -> bool| matches!(place, Place::Name(name, _) if is(name));
    match why {
        Unsendable::Name => name(|name| name.is_empty() || name.len() > 255),
        Unsendable::NulInName => is_4 && name(|name| name.contains('\0')),
        Unsendable::Login => login.is_some_and(|login| login.login.len() > 255),
        Unsendable::Password => !is_4 && login.is_some_and(|login| login.password.len() > 255),
        Unsendable::NulInLogin => is_4 && login.is_some_and(|login| login.login.contains('\0')),
        Unsendable::V6 => is_4 && matches!(place, Place::Address(SocketAddr::V6(_))),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Open(usize),
    Wants(usize),
    Refused(Refusal),
}

/// Returns all that is sent, and the end.
fn run(mut handshake: Handshake, bytes: &[u8], sizes: &[u8]) -> (Vec<u8>, End) {
    let (mut sent, mut heard) = (handshake.say(), 0);
    for piece in pieces(bytes, sizes) {
        let wanted = handshake.wants();
        assert!(wanted <= LONGEST_MESSAGE);
        match handshake.hear(piece) {
            Ok(len) => {
                assert!(len == piece.len() || handshake.wants() == 0 && len < piece.len());
                heard += len;
            }
            Err(refusal) => return (sent, End::Refused(refusal)),
        }
        sent.extend(handshake.say());
        if handshake.wants() == 0 {
            break;
        }
    }
    let end = if handshake.wants() == 0 { End::Open(heard) } else { End::Wants(handshake.wants()) };
    (sent, end)
}

/// Returns whether these are the messages of a SOCKS5 proxy that opens a tunnel.
fn opens(bytes: &[u8], offered: &[u8]) -> bool {
    let [5, method, rest @ ..] = bytes else { return false };
    let rest = match (method, rest) {
        (0, rest) | (2, [_, 0, rest @ ..]) => rest,
        _ => return false,
    };
    let is_reply = match rest {
        [5, 0, _, 1, address @ ..] => address.len() == 4 + 2,
        [5, 0, _, 4, address @ ..] => address.len() == 16 + 2,
        [5, 0, _, 3, len, name @ ..] => name.len() == usize::from(*len) + 2,
        _ => false,
    };
    is_reply && offered.contains(method)
}

fn five(place: Place<'_>, login: Option<Login<'_>>, offered: &[u8]) -> Vec<u8> {
    let counted = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
    let mut sent = [&[5, offered.len() as u8][..], offered].concat();
    if let Some(Login { login, password }) = login {
        sent.extend([vec![1], counted(login), counted(password)].concat());
    }
    sent.extend([5, 1, 0]);
    let (kind, address, port) = match place {
        Place::Address(SocketAddr::V4(address)) => (1, address.ip().octets().to_vec(), address.port()),
        Place::Address(SocketAddr::V6(address)) => (4, address.ip().octets().to_vec(), address.port()),
        Place::Name(name, port) => (3, counted(name), port),
    };
    [sent, vec![kind], address, port.to_be_bytes().to_vec()].concat()
}

fn four(place: Place<'_>, login: Option<Login<'_>>) -> Vec<u8> {
    let (address, port, name) = match place {
        Place::Address(SocketAddr::V4(address)) => (address.ip().octets(), address.port(), String::new()),
        Place::Address(SocketAddr::V6(_)) => panic!("SOCKS4 has no IPv6"),
        Place::Name(name, port) => ([0, 0, 0, 1], port, format!("{name}\0")),
    };
    let user = login.map_or("", |login| login.login);
    [&[4, 1][..], &port.to_be_bytes(), &address, user.as_bytes(), b"\0", name.as_bytes()].concat()
}
