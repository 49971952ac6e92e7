//! Chunked bodies: what is encoded comes back, and a slow decoder that sees the whole input at once agrees.

use super::Limits;
use super::input::{Input, pieces};
use crate::error::Limit;
use crate::h1::{Chunked, Fault};
use crate::headers::{is_token_byte, is_value_byte, trim};
use crate::strictness::Strictness::{self, Strict, Tolerant};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// What a reader of the body has seen, up to the end of the input or to the fault.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    data: Vec<u8>,
    trailers: Fields,
    /// How many bytes the body took, if it is done.
    done: Option<usize>,
    fault: Option<Fault>,
}

pub fn chunked(data: &[u8]) {
    let mut input = Input::new(data);
    let round_trip = input.flag();
    let splits = input.bytes(8);
    match round_trip {
        true => comes_back(&mut input, splits),
        false => is_understood(input.rest(), splits),
    }
}

fn comes_back(input: &mut Input<'_>, splits: &[u8]) {
    let (mut body, mut expected) = (Vec::new(), Seen::default());
    let count = input.number(6);
    for _ in 0..count {
        let extension = extension(input);
        let (zeros, upper) = (input.number(3), input.flag());
        let chunk = input.bytes(600);
        if !chunk.is_empty() {
            let size = if upper { format!("{:X}", chunk.len()) } else { format!("{:x}", chunk.len()) };
            body.extend(["0".repeat(zeros).as_bytes(), size.as_bytes(), &extension, b"\r\n", chunk, b"\r\n"].concat());
            expected.data.extend_from_slice(chunk);
        }
    }
    body.extend(["0".repeat(1 + input.number(15)).as_bytes(), &extension(input), b"\r\n"].concat());
    for _ in 0..input.number(4) {
        let name: Vec<u8> = [b"X"].into_iter().flatten().chain(input.bytes(8)).copied().filter(token).collect();
        let value: Vec<u8> = input.bytes(16).iter().copied().filter(|&byte| is_value_byte(byte)).collect();
        body.extend([&name, &b":"[..], &value, b"\r\n"].concat());
        expected.trailers.push((name, trim(&value).to_vec()));
    }
    body.extend(b"\r\n");
    expected.done = Some(body.len());
    // Whatever follows belongs to the next response.
    let received = [&body, input.rest()].concat();
    for strictness in [Strict, Tolerant] {
        assert_eq!(decode(pieces(&received, splits), strictness), expected);
        for cut in [body.len() - 1, body.len() / 2] {
            let cut = decode(pieces(&body[..cut], splits), strictness);
            assert_eq!((cut.done, cut.fault), (None, None), "a truncated body");
        }
    }
}

fn token(byte: &u8) -> bool {
    is_token_byte(*byte)
}

fn extension(input: &mut Input<'_>) -> Vec<u8> {
    let text = input.bytes(12);
    match text.is_empty() {
        true => Vec::new(),
        false => [b";"].into_iter().flatten().chain(text).copied().filter(|byte| !b"\r\n".contains(byte)).collect(),
    }
}

fn is_understood(body: &[u8], splits: &[u8]) {
    let [strict, tolerant] = [Strict, Tolerant].map(|strictness| {
        let whole = decode(std::iter::once(body), strictness);
        assert_eq!(decode(pieces(body, splits), strictness), whole, "split by {splits:?}");
        assert_eq!(decode(body.chunks(1), strictness), whole, "byte by byte");
        is_as_it_should_be(body, &whole, strictness);
        whole
    });
    assert!(strict.fault.is_some() || tolerant == strict, "{tolerant:?} and {strict:?}");
}

fn is_as_it_should_be(body: &[u8], whole: &Seen, strictness: Strictness) {
    match (reference(body, strictness), whole.fault) {
        (_, Some(Fault::Limit(limit))) => assert!(may_reach(limit, body), "{limit:?}"),
        (Reference::Done { data, trailers, len }, fault) => {
            assert_eq!(*whole, Seen { data, trailers, done: Some(len), fault: None }, "{fault:?}");
        }
        (Reference::Refused, fault) => assert!(fault.is_some() && whole.done.is_none(), "{whole:?}"),
        (Reference::Open { data }, None) => assert_eq!((&whole.data, whole.done), (&data, None)),
        // An unfinished line may be wrong already.
        (Reference::Open { .. }, Some(_)) => assert_eq!(whole.done, None),
    }
}

/// A limit speaks only where there is as much framing as that.
fn may_reach(limit: Limit, body: &[u8]) -> bool {
    let limits = Limits::default();
    match limit {
        Limit::ChunkFraming => body.len() > limits.chunk_line_bytes,
        Limit::Trailers => {
            body.len() > limits.trailer_bytes
                || body.iter().filter(|&&byte| byte == b'\n').count() >= limits.trailer_fields
        }
        _ => false,
    }
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, strictness: Strictness) -> Seen {
    let limits = Limits::default();
    let mut decoder = Chunked::new(strictness);
    let mut seen = Seen::default();
    let mut taken = 0;
    for mut piece in pieces {
        while !piece.is_empty() && !decoder.is_done() {
            let left = usize::try_from(decoder.data_left()).unwrap_or(usize::MAX).min(piece.len());
            let n = if left > 0 {
                seen.data.extend_from_slice(&piece[..left]);
                decoder.consume(left as u64);
                left
            } else {
                match decoder.advance(piece, &limits) {
                    Ok(n) => n,
                    Err(fault) => return Seen { fault: Some(fault), ..seen },
                }
            };
            assert!(n > 0 && n <= piece.len(), "no progress");
            piece = &piece[n..];
            taken += n;
        }
    }
    if decoder.is_done() {
        let fields = decoder.take_trailers().unwrap_or_default().fields;
        seen.trailers = fields.iter().map(|field| (field.name().as_bytes().to_vec(), field.bytes().to_vec())).collect();
        seen.done = Some(taken);
    }
    seen
}

/// What RFC 9112, section 7.1, says about a whole input.
enum Reference {
    Done {
        data: Vec<u8>,
        trailers: Fields,
        len: usize,
    },
    /// A complete line, or what stands behind a chunk, is wrong.
    Refused,
    /// A front of a body, which ends inside a chunk or a line.
    Open {
        data: Vec<u8>,
    },
}

fn reference(body: &[u8], strictness: Strictness) -> Reference {
    let mut data = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = line(&body[at..]) else { return Reference::Open { data } };
        let Some(size) = size(line, strictness) else { return Reference::Refused };
        at += line.len() + 2;
        if size == 0 {
            break;
        }
        let end = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(at);
        data.extend_from_slice(&body[at..end.min(body.len())]);
        match body.get(end..) {
            None | Some([] | [b'\r']) => return Reference::Open { data },
            Some([b'\r', b'\n', ..]) => at = end + 2,
            Some(_) => return Reference::Refused,
        }
    }
    let mut trailers = Vec::new();
    loop {
        let Some(line) = line(&body[at..]) else { return Reference::Open { data } };
        at += line.len() + 2;
        if line.is_empty() {
            let trailers = trailers.into_iter().flatten().collect();
            return Reference::Done { data, trailers, len: at };
        }
        if take_line(&mut trailers, line, strictness).is_none() {
            return Reference::Refused;
        }
    }
}

/// One more line of the trailers: `None` in the list is a line that is left out; no answer refuses the body.
fn take_line(trailers: &mut Vec<Option<(Vec<u8>, Vec<u8>)>>, line: &[u8], strictness: Strictness) -> Option<()> {
    if strictness == Strict {
        trailers.push(Some(field(line)?));
        return Some(());
    }
    let is_fold = b" \t".contains(&line[0]);
    if line.iter().any(|byte| b"\0\r\n".contains(byte)) || trim(line).is_empty() {
        return None;
    }
    let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
    let token: Vec<u8> = name.iter().copied().filter(token).collect();
    let named = |name: &[u8], list: &[&str]| list.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes()));
    let framing = |name: &[u8]| named(name, &["content-length", "transfer-encoding", "connection"]);
    if let (true, Some(last)) = (is_fold, trailers.last_mut()) {
        match last {
            Some((name, _)) if named(name, &["content-length", "transfer-encoding"]) => return None,
            Some((_, value)) if line.iter().all(|&byte| is_value_byte(byte)) => {
                let parts = [&**value, trim(line)];
                *value = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b' ');
            }
            Some((name, _)) if framing(name) => return None,
            Some(_) => *last = None,
            None if framing(&token) => return None,
            None => {}
        }
        return Some(());
    }
    let at = name.len();
    let mended = [trim(name), &line[at..]].concat();
    match field(&mended).filter(|_| !is_fold && at < line.len()) {
        None if framing(&token) => return None,
        field => trailers.push(field),
    }
    Some(())
}

/// Up to the first CRLF. A CR or LF by itself stays in the line, where none is allowed.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.windows(2).position(|two| two == b"\r\n").map(|at| &bytes[..at])
}

/// `chunk-size [ chunk-ext ]`: hexadecimal digits, at most those of 64 bits; then white space only before a `;`, or, for
/// a tolerant reader, before the end.
fn size(line: &[u8], strictness: Strictness) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, rest) = line.split_at(digits);
    let extension = trim(rest);
    let is_extension =
        rest.is_empty() || extension.starts_with(b";") || (strictness == Tolerant && extension.is_empty());
    if !(1..=16).contains(&digits) || !is_extension || rest.iter().any(|byte| b"\r\n".contains(byte)) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}

fn field(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let good = !name.is_empty() && name.iter().all(token) && value.iter().all(|&byte| is_value_byte(byte));
    good.then(|| (name.to_vec(), trim(value).to_vec()))
}
