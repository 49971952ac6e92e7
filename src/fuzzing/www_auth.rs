//! Challenges: what is written comes back, and what is answered reads back as one challenge's answer.

use std::borrow::Cow;

use super::input::Input;
use crate::auth::challenge::{Item, Items};
use crate::auth::{Asked, Asker, Dialogue, DigestAuth};
use crate::headers::{Headers, is_token_byte, is_value_byte};
use crate::urls::Url;
use http::StatusCode;

pub fn www_auth(data: &[u8]) {
    let mut input = Input::new(data);
    match input.flag() {
        true => comes_back(&mut input),
        false => is_answered(input.rest()),
    }
}

fn comes_back(input: &mut Input<'_>) {
    let (mut field, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..input.number(5) {
        separate(input, &mut field);
        let scheme = token(input);
        field.extend(scheme);
        expected.push(Item::Scheme(scheme));
        match input.number(5) {
            0 => {
                let word = input.pick(&[&b"abc"[..], b"a==", b"-._~+/0=", b"+"]);
                field.extend([b" ", word].concat());
                expected.push(Item::Token68(word));
            }
            count => {
                for n in 1..count {
                    if n == 1 {
                        field.push(b' ')
                    } else {
                        separate(input, &mut field)
                    }
                    expected.push(parameter(input, &mut field));
                }
            }
        }
    }
    separate(input, &mut field);
    let found: Vec<_> = Items::new(&field).collect();
    assert_eq!(found, expected, "{}", field.escape_ascii());
}

/// Between two elements; commas in front of all of them and behind change nothing.
fn separate(input: &mut Input<'_>, field: &mut Vec<u8>) {
    field.extend(input.pick(&[&b","[..], b", ", b" ,", b"\t,,  ,"]));
}

fn token<'a>(input: &mut Input<'a>) -> &'a [u8] {
    match input.bytes(8) {
        word if !word.is_empty() && word.iter().all(|&byte| is_token_byte(byte)) => word,
        _ => input.pick(&[&b"Digest"[..], b"x", b"realm", b"!#$%&'*+-.^_`|~"]),
    }
}

fn parameter<'a>(input: &mut Input<'a>, field: &mut Vec<u8>) -> Item<'a> {
    let name = token(input);
    field.extend([name, input.pick(&[&b"="[..], b" =", b"= ", b"\t=\t"])].concat());
    let value = input.bytes(24);
    let is_token = !value.is_empty() && value.iter().all(|&byte| is_token_byte(byte));
    if is_token && input.flag() {
        field.extend(value);
    } else {
        let escape_all = input.flag();
        field.push(b'"');
        for &byte in value {
            if escape_all || b"\"\\".contains(&byte) {
                field.push(b'\\');
            }
            field.push(byte);
        }
        field.push(b'"');
    }
    Item::Param(name, Cow::Borrowed(value))
}

/// Whatever a server sends, the answer is one field value, for something that the server asked for.
fn is_answered(data: &[u8]) {
    let mut headers = Headers::new();
    let mut asked = Vec::new();
    for field in data.split(|&byte| byte == b'\n') {
        if headers.append("WWW-Authenticate", field).is_ok() {
            asked.extend(Items::new(field));
        }
    }
    assert!(asked.len() <= data.len(), "more items than bytes");
    let url = Url::parse("http://h/").unwrap();
    let mut dialogue = Dialogue::new(&DigestAuth::new("us\"er", "pass\\word"), Asker::Server, url.shared_origin());
    if !dialogue.hear(StatusCode::UNAUTHORIZED, &headers, true) {
        return;
    }
    let request = Asked { method: "GET", target: b"/\"x\"", body: Some(b"") };
    let sevens = |bytes: &mut [u8]| {
        bytes.fill(7);
        Ok(())
    };
    let said = match dialogue.say(&request, &sevens) {
        Ok(Some(said)) => said,
        Ok(None) => panic!("a challenge was taken and not answered"),
        Err(error) if cfg!(feature = "digest-auth") => panic!("{error}"),
        Err(_) => return,
    };
    assert!(said.iter().all(|&byte| is_value_byte(byte)), "{}", said.escape_ascii());
    let mut items = Items::new(&said);
    assert_eq!(items.next(), Some(Item::Scheme(b"Digest")));
    for item in items {
        let Item::Param(name, value) = &item else { panic!("{item:?} in {}", said.escape_ascii()) };
        if [&b"realm"[..], b"nonce", b"opaque", b"algorithm"].contains(name) {
            let is_same = |other: &Item<'_>| match other {
                Item::Param(known, given) => known.eq_ignore_ascii_case(name) && given == value,
                _ => false,
            };
            assert!(asked.iter().any(is_same), "nobody asked for {item:?}");
        }
    }
}
