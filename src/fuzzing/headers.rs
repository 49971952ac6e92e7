//! Header fields against a plain list of them.

use super::input::Input;
use crate::headers::{Headers, InvalidHeader};

/// Spellings that meet, and names that do not.
const NAMES: [&str; 8] = ["A", "a", "Set-Cookie", "set-cookie", "x!#$%&'*+-.^_`|~9", "Host", "", "b c"];

type List = Vec<(String, Vec<u8>)>;

pub fn headers(data: &[u8]) {
    let mut input = Input::new(data);
    let mut real = Headers::new();
    let mut model = List::new();
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        step(&mut input, &mut real, &mut model);
        compare(&real, &model);
    }
    let map = http::HeaderMap::try_from(&real).unwrap();
    assert_eq!(map.len(), model.len());
    let back = Headers::from(&map);
    for (name, _) in &model {
        assert!(back.values(name).eq(real.values(name)), "{name}");
    }
}

fn step(input: &mut Input<'_>, real: &mut Headers, model: &mut List) {
    let op = input.byte();
    let name = name(input);
    let value = input.bytes(24);
    let text = String::from_utf8_lossy(value);
    let latin: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(char).ok()).collect();
    let text_fits = latin.as_ref().is_some_and(|latin| fits(&name, latin));
    let latin = latin.unwrap_or_default();
    match op % 6 {
        0 => answer(real.append(&name, &text), text_fits, || {
            model.push((name.clone(), trimmed(&latin)));
        }),
        1 => answer(real.append(&name, value), fits(&name, value), || {
            model.push((name.clone(), trimmed(value)));
        }),
        2 => answer(real.insert(&name, &text), text_fits, || {
            model.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            model.push((name.clone(), trimmed(&latin)));
        }),
        3 => {
            let before = model.len();
            model.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            assert_eq!(real.remove(&name), before - model.len());
        }
        4 => {
            let mut other = Headers::new();
            let mut fields = List::new();
            answer(other.append(&name, value), fits(&name, value), || {
                fields.push((name.clone(), trimmed(value)));
            });
            real.append_all(&other).unwrap();
            model.extend(fields);
        }
        _ => {
            let copy = real.clone();
            real.append_all(&copy).unwrap();
            model.extend_from_within(..);
            // Doubling has to end somewhere.
            if model.len() > 64 {
                (*real, *model) = (Headers::new(), List::new());
            }
        }
    }
}

fn name(input: &mut Input<'_>) -> String {
    match input.byte() {
        known @ 0..=191 => NAMES[usize::from(known) % NAMES.len()].to_owned(),
        _ => String::from_utf8_lossy(input.bytes(12)).into_owned(),
    }
}

fn answer(real: Result<(), InvalidHeader>, fits: bool, accepted: impl FnOnce()) {
    assert_eq!(real.is_ok(), fits, "{real:?}");
    if fits {
        accepted();
    }
}

/// A token, and a value of VCHAR, SP, HTAB and obs-text (RFC 9110, sections 5.1, 5.5 and 5.6.2).
fn fits(name: &str, value: &[u8]) -> bool {
    let is_delimiter = |byte: u8| b"\"(),/:;<=>?@[\\]{}".contains(&byte);
    let token = !name.is_empty() && name.bytes().all(|byte| matches!(byte, 0x21..=0x7E) && !is_delimiter(byte));
    token && value.iter().all(|&byte| byte == b'\t' || byte >= 0x20 && byte != 0x7F)
}

fn trimmed(value: &[u8]) -> Vec<u8> {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = value.iter().position(is_text).unwrap_or(value.len());
    let end = value.iter().rposition(is_text).map_or(start, |at| at + 1);
    value[start..end].to_vec()
}

fn compare(real: &Headers, model: &List) {
    assert_eq!((real.len(), real.is_empty()), (model.len(), model.is_empty()));
    let fields = real.iter().map(|field| (field.name(), field.bytes()));
    assert!(fields.eq(model.iter().map(|(name, value)| (&**name, &**value))), "{real:?}");
    for name in NAMES.iter().copied().chain(model.last().map(|(name, _)| &**name)) {
        let named = || model.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value);
        assert_eq!(real.get_bytes(name), named().next(), "{name}");
        assert_eq!(real.get(name), named().next().and_then(|value| std::str::from_utf8(value).ok()), "{name}");
        assert_eq!(real.contains(name), named().next().is_some(), "{name}");
        assert!(real.get_all(name).eq(named().filter_map(|value| std::str::from_utf8(value).ok())), "{name}");
    }
    assert_eq!(real, &real.clone());
    assert_eq!(format!("{real:?}"), format!("[{}]", model.iter().map(shown).collect::<Vec<_>>().join(", ")));
}

/// As logs have it: without what is secret.
fn shown((name, value): &(String, Vec<u8>)) -> String {
    let secret = ["authorization", "proxy-authorization", "cookie", "cookie2", "set-cookie", "set-cookie2"];
    match secret.contains(&&*name.to_ascii_lowercase()) {
        true => format!("{name}: ***"),
        false => format!("{name}: {}", value.escape_ascii()),
    }
}
