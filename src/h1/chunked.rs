//! The framing of a chunked body (RFC 9112, section 7.1). Data stays where it is: the decoder says how much follows.

use super::{Fault, Limits};
use crate::error::{Limit, Violation};
use crate::headers::Headers;

/// What each chunk adds to the allowance for framing: its size and line ends, and a little more.
const PAID_BY_CHUNK: u64 = 16;

/// A decoder that is fed all bytes of a chunked body but its data.
///
/// The outcome does not depend on how the bytes were split.
#[derive(Debug)]
pub(crate) struct Chunked {
    state: State,
    /// The size while it is read, then what is left of the data.
    size: u64,
    /// Bytes of the current size line.
    line_bytes: usize,
    /// Bytes of all framing so far, and what of it the data has paid for.
    framing: u64,
    paid: u64,
    /// From the first trailer field on: most bodies have none.
    trailers: Option<Box<Trailers>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the size, behind so many digits.
    Size(u8),
    /// In the white space between the size and an extension.
    Space,
    Extension,
    /// Behind the CR of a size line.
    SizeEnd,
    Data,
    /// Behind the data.
    DataEnd,
    /// Behind the CR that follows the data.
    DataEndLf,
    Trailer,
    /// Behind the CR of the blank line.
    LastLf,
    Done,
}

impl Chunked {
    pub(crate) fn new() -> Self {
        Chunked { state: State::Size(0), size: 0, line_bytes: 0, framing: 0, paid: 0, trailers: None }
    }

    /// So many of the next bytes are data.
    pub(crate) fn data_left(&self) -> u64 {
        if self.state == State::Data { self.size } else { 0 }
    }

    /// `n` bytes of the data have been taken, at most [`data_left`](Self::data_left).
    pub(crate) fn consume(&mut self, n: u64) {
        let n = n.min(self.data_left());
        if n == 0 {
            return;
        }
        self.paid = self.paid.saturating_add(n.saturating_mul(2));
        self.size -= n;
        if self.size == 0 {
            self.state = State::DataEnd;
        }
    }

    /// The last chunk, the trailer section and the line behind it have been read.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The trailer fields. They stand apart from the fields of the head for good (RFC 9110, section 6.5.1).
    pub(crate) fn take_trailers(&mut self) -> Headers {
        self.trailers.take().map(|trailers| trailers.fields).unwrap_or_default()
    }

    /// Takes framing from the front of `input` and says how many bytes that was. Then data follows, or the body is
    /// done, or all of `input` was taken.
    pub(crate) fn advance(&mut self, input: &[u8], limits: &Limits) -> Result<usize, Fault> {
        let mut taken = 0;
        while let Some(&byte) = input.get(taken) {
            match self.state {
                State::Data | State::Done => break,
                // A first byte of CR is the blank line's, and costs no memory.
                State::Trailer if byte == b'\r' && self.is_at_trailer_start() => {
                    self.state = State::LastLf;
                    taken += 1;
                }
                State::Trailer => taken += self.trailers.get_or_insert_default().push(&input[taken..], limits)?,
                State::LastLf => {
                    if byte != b'\n' {
                        return Err(Violation::Trailer.into());
                    }
                    self.state = State::Done;
                    taken += 1;
                }
                _ => {
                    self.count(limits)?;
                    self.state = self.step(byte)?;
                    taken += 1;
                }
            }
        }
        Ok(taken)
    }

    fn is_at_trailer_start(&self) -> bool {
        self.trailers.as_ref().is_none_or(|trailers| trailers.line.is_empty())
    }

    /// Charges one byte of framing: small chunks in long extensions must not come for free (CVE-2023-39326).
    fn count(&mut self, limits: &Limits) -> Result<(), Limit> {
        self.framing = self.framing.saturating_add(1);
        if !matches!(self.state, State::DataEnd | State::DataEndLf) {
            self.line_bytes += 1;
        }
        if self.framing > limits.chunk_framing_bytes.saturating_add(self.paid)
            || self.line_bytes > limits.chunk_line_bytes
        {
            return Err(Limit::ChunkFraming);
        }
        Ok(())
    }

    /// The state behind one byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, Violation> {
        match (self.state, byte) {
            (State::Size(digits), _) if byte.is_ascii_hexdigit() => {
                // 16 digits are 64 bits, so that nothing is shifted out.
                if digits == 16 {
                    return Err(Violation::ChunkSize);
                }
                self.size = self.size << 4 | u64::from(hex_value(byte));
                Ok(State::Size(digits + 1))
            }
            (State::Size(0), _) => Err(Violation::ChunkSize),
            (State::Size(_) | State::Space, b' ' | b'\t') => Ok(State::Space),
            (State::Size(_) | State::Space, b';') => Ok(State::Extension),
            (State::Size(_) | State::Extension, b'\r') => Ok(State::SizeEnd),
            // Others skip this LF as part of the extension, or end the line by it: the root of CVE-2025-22871.
            (State::Size(_) | State::Space | State::Extension, b'\n') => Err(Violation::ChunkEnd),
            (State::Extension, _) => Ok(State::Extension),
            (State::Size(_) | State::Space, _) => Err(Violation::ChunkSize),
            (State::SizeEnd, b'\n') => {
                self.line_bytes = 0;
                self.paid = self.paid.saturating_add(PAID_BY_CHUNK);
                Ok(if self.size == 0 { State::Trailer } else { State::Data })
            }
            (State::DataEnd, b'\r') => Ok(State::DataEndLf),
            (State::DataEndLf, b'\n') => Ok(State::Size(0)),
            (State::SizeEnd | State::DataEnd | State::DataEndLf, _) => Err(Violation::ChunkEnd),
            // `advance` does not come here in these.
            (state @ (State::Data | State::Trailer | State::LastLf | State::Done), _) => Ok(state),
        }
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// The trailer section while it arrives. No memory is taken before its first field.
#[derive(Debug, Default)]
struct Trailers {
    /// The line that has not ended yet.
    line: Vec<u8>,
    fields: Headers,
    bytes: usize,
}

impl Trailers {
    /// Takes bytes up to the end of the line, and the field with it. `input` is not empty.
    fn push(&mut self, input: &[u8], limits: &Limits) -> Result<usize, Fault> {
        if self.line.is_empty() {
            self.check_start(input, limits)?;
        }
        let room = limits.trailer_bytes.saturating_sub(self.bytes);
        let end = memchr::memchr(b'\n', &input[..input.len().min(room)]);
        let part = match end {
            Some(at) => &input[..at + 1],
            None if input.len() > room => return Err(Limit::Trailers.into()),
            None => input,
        };
        self.bytes += part.len();
        self.line.extend_from_slice(part);
        if end.is_some() {
            self.end_line()?;
        }
        Ok(part.len())
    }

    fn check_start(&self, input: &[u8], limits: &Limits) -> Result<(), Fault> {
        // A fold or a lone LF: what is tolerated in a head is not needed here.
        if matches!(input, [b' ' | b'\t' | b'\n', ..]) {
            return Err(Violation::Trailer.into());
        }
        if self.fields.len() >= limits.trailer_fields {
            return Err(Limit::Trailers.into());
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), Violation> {
        let line = self.line.strip_suffix(b"\r\n").ok_or(Violation::Trailer)?;
        let colon = memchr::memchr(b':', line).ok_or(Violation::Trailer)?;
        let name = std::str::from_utf8(&line[..colon]).map_err(|_| Violation::Trailer)?;
        // The rules for a field that is sent are those for one that is received (RFC 9110, sections 5.1 and 5.5).
        self.fields.append_bytes(name, &line[colon + 1..]).map_err(|_| Violation::Trailer)?;
        self.line.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// What a reader of the body has seen, up to the end of the input or to the fault.
    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        data: Vec<u8>,
        trailers: Vec<(String, String)>,
        /// How many bytes the body took, if it is done.
        done: Option<usize>,
        fault: Option<Fault>,
    }

    fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Seen {
        let mut seen = Seen::default();
        let mut decoder = Chunked::new();
        let mut taken = 0;
        for mut piece in pieces {
            while !piece.is_empty() && !decoder.is_done() {
                let left = usize::try_from(decoder.data_left()).unwrap_or(usize::MAX).min(piece.len());
                let n = if left > 0 {
                    seen.data.extend_from_slice(&piece[..left]);
                    decoder.consume(left as u64);
                    left
                } else {
                    match decoder.advance(piece, limits) {
                        Ok(n) => n,
                        Err(fault) => return Seen { fault: Some(fault), ..seen },
                    }
                };
                assert!(n > 0 && n <= piece.len());
                assert!(n == piece.len() || decoder.data_left() > 0 || decoder.is_done() || left > 0);
                assert!(decoder.framing <= limits.chunk_framing_bytes + decoder.paid);
                let trailers = decoder.trailers.as_deref();
                assert!(trailers.is_none_or(|it| it.line.len() <= limits.trailer_bytes));
                assert!(trailers.is_none_or(|it| it.fields.len() <= limits.trailer_fields));
                piece = &piece[n..];
                taken += n;
            }
        }
        let fields = decoder.take_trailers();
        assert!(decoder.take_trailers().is_empty());
        seen.trailers = fields.iter().map(|field| (field.name().to_owned(), field.value().into_owned())).collect();
        seen.done = decoder.is_done().then_some(taken);
        seen
    }

    fn at_once(body: &[u8]) -> Seen {
        decode([body].into_iter(), &Limits::default())
    }

    type Accepted = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

    const ACCEPTED: &[Accepted] = &[
        ("plain", "5\r\nhello\r\n0\r\n\r\n", "hello", &[]),
        ("empty", "0\r\n\r\n", "", &[]),
        ("two chunks", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", &[]),
        ("hexadecimal", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a", &[]),
        ("16 digits", "0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello", &[]),
        ("extension", "5;a=b;c=\"d;\te\"\r\nhello\r\n0;x\r\n\r\n", "hello", &[]),
        ("white space, extension", "5 \t;a\r\nhello\r\n0 ; x\r\n\r\n", "hello", &[]),
        ("data like framing", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n", &[]),
        ("trailers", "1\r\nx\r\n0\r\nA: b\r\nc:\td \r\n\r\n", "x", &[("A", "b"), ("c", "d")]),
        ("empty trailer", "0\r\nA:\r\n\r\n", "", &[("A", "")]),
        (
            "A6.6",
            "0\r\nContent-Length: 0\r\nSet-Cookie: a\r\n\r\n",
            "",
            &[("Content-Length", "0"), ("Set-Cookie", "a")],
        ),
    ];

    #[test]
    fn accepted() {
        for (id, body, data, trailers) in ACCEPTED {
            let surplus = [body, "HTTP/1.1 200 OK"].concat();
            let seen = at_once(surplus.as_bytes());
            assert_eq!((seen.fault, seen.done), (None, Some(body.len())), "{id}");
            assert_eq!(seen.data, data.as_bytes(), "{id}");
            let shown: Vec<_> = seen.trailers.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(shown, *trailers, "{id}");
        }
    }

    use Violation::{ChunkEnd, ChunkSize, Trailer};

    const REFUSED: &[(&str, &str, Violation)] = &[
        ("A6.2 LF behind the size", "5\nhello\r\n", ChunkEnd),
        ("A6.2 LF behind the data", "5\r\nhello\n", ChunkEnd),
        ("A6.2 data too long", "5\r\nhelloX\r\n", ChunkEnd),
        ("A6.2 LF in the extension", "5;a\nb\r\n", ChunkEnd),
        ("CR in the extension", "5;a\rb\r\n", ChunkEnd),
        ("CR behind the size", "5\rhello", ChunkEnd),
        ("LF behind white space", "5 \n", ChunkEnd),
        ("CR behind the data", "5\r\nhello\rX", ChunkEnd),
        ("no size", "\r\n", ChunkSize),
        ("only an extension", ";a\r\n", ChunkSize),
        ("leading space", " 5\r\n", ChunkSize),
        ("trailing space", "5 \r\n", ChunkSize),
        ("space inside", "5 5\r\n", ChunkSize),
        ("plus", "+5\r\n", ChunkSize),
        ("minus", "-5\r\n", ChunkSize),
        ("0x", "0x5\r\n", ChunkSize),
        ("no digit", "g\r\n", ChunkSize),
        ("underscore", "1_0\r\n", ChunkSize),
        ("17 digits", "00000000000000005\r\n", ChunkSize),
        ("overflow", "FFFFFFFFFFFFFFFFF\r\n", ChunkSize),
        ("other digits", "\u{665}\r\n", ChunkSize),
        ("second size", "1\r\nx\r\n\r\n", ChunkSize),
        ("lone LF", "0\r\n\n", Trailer),
        ("LF behind a trailer", "0\r\nA: b\n\r\n", Trailer),
        ("LF behind the trailers", "0\r\nA: b\r\n\n", Trailer),
        ("CR for the blank line", "0\r\n\rA: b\r\n", Trailer),
        ("no colon", "0\r\nA\r\n", Trailer),
        ("space before colon", "0\r\nA : b\r\n", Trailer),
        ("empty name", "0\r\n: b\r\n", Trailer),
        ("name no token", "0\r\n\u{e9}: b\r\n", Trailer),
        ("NUL", "0\r\nA: b\0\r\n", Trailer),
        ("bare CR", "0\r\nA: b\rc\r\n", Trailer),
        ("fold", "0\r\nA: b\r\n c\r\n", Trailer),
        ("leading white space", "0\r\n A: b\r\n", Trailer),
    ];

    #[test]
    fn refused() {
        for (id, body, expected) in REFUSED {
            let seen = at_once(body.as_bytes());
            assert_eq!((seen.fault, seen.done), (Some(Fault::Violation(*expected)), None), "{id}");
        }
    }

    /// Row A6.4: no front of a body is a body.
    #[test]
    fn what_is_cut_off_is_never_done() {
        for (id, body, ..) in ACCEPTED {
            for len in 0..body.len() {
                let seen = at_once(&body.as_bytes()[..len]);
                assert_eq!((seen.fault, seen.done), (None, None), "{id} cut at {len}");
            }
        }
    }

    #[test]
    fn no_split_changes_the_outcome() {
        let corpus = ACCEPTED.iter().map(|row| (row.0, row.1)).chain(REFUSED.iter().map(|row| (row.0, row.1)));
        for (id, body) in corpus {
            for limits in [Limits::default(), tight()] {
                let body = body.as_bytes();
                let whole = decode([body].into_iter(), &limits);
                for at in 0..body.len() {
                    let (one, other) = body.split_at(at);
                    assert_eq!(decode([one, other].into_iter(), &limits), whole, "{id} cut at {at}");
                }
                assert_eq!(decode(body.chunks(1), &limits), whole, "{id} byte by byte");
            }
        }
    }

    /// Row A6.3: an announced size is only a number, up to the largest.
    #[test]
    fn an_announced_size_costs_nothing() {
        for (line, size) in [("7FFFFFFFFFFFFFFF\r\n", i64::MAX as u64), ("ffffffffffffffff\r\n", u64::MAX)] {
            let mut decoder = Chunked::new();
            let input = [line, "0123456789"].concat();
            assert_eq!(decoder.advance(input.as_bytes(), &Limits::default()), Ok(line.len()));
            assert_eq!(decoder.data_left(), size);
            decoder.consume(10);
            assert_eq!((decoder.data_left(), decoder.is_done()), (size - 10, false));
            decoder.consume(u64::MAX);
            assert_eq!((decoder.data_left(), decoder.is_done()), (0, false));
            assert_eq!(decoder.advance(b"\r\n0\r\n\r\n", &Limits::default()), Ok(7));
            assert!(decoder.is_done());
            assert!(decoder.trailers.is_none());
        }
    }

    fn tight() -> Limits {
        Limits {
            chunk_line_bytes: 18,
            chunk_framing_bytes: 24,
            trailer_bytes: 20,
            trailer_fields: 2,
            ..Limits::default()
        }
    }

    #[test]
    fn limits() {
        let many = |n: usize| "1;34567890123456\r\nx\r\n".repeat(n);
        let table: &[(&str, String, Option<Limit>)] = &[
            ("line at its limit", many(1) + "0\r\n\r\n", None),
            ("line", "1;34567890123456789".into(), Some(Limit::ChunkFraming)),
            ("padding", ["1", &" ".repeat(18)].concat(), Some(Limit::ChunkFraming)),
            ("a server that flushes every byte", "1\r\nx\r\n".repeat(1000) + "0\r\n\r\n", None),
            // Such a chunk takes 20 bytes and gives back 18; the fifth passes 24 in its size line.
            ("cumulative, at its limit", many(4) + "0\r\n\r\n", None),
            ("cumulative", many(5) + "0\r\n\r\n", Some(Limit::ChunkFraming)),
            ("data pays", ["A\r\n0123456789\r\n", &many(8), "0\r\n\r\n"].concat(), None),
            ("trailer bytes, at their limit", "0\r\nA: 34567\r\nB: 34567\r\n\r\n".into(), None),
            ("A6.7 bytes", "0\r\nA: 34567\r\nB: 345678\r\n\r\n".into(), Some(Limit::Trailers)),
            ("A6.7 one line", "0\r\nA: 345678901234567890".into(), Some(Limit::Trailers)),
            ("A6.7 fields", "0\r\nA:\r\nB:\r\nC".into(), Some(Limit::Trailers)),
        ];
        for (id, body, expected) in table {
            for step in [1, 3, usize::MAX] {
                let seen = decode(body.as_bytes().chunks(step), &tight());
                assert_eq!(seen.fault, expected.map(Fault::Limit), "{id} by {step}");
                assert_eq!(seen.done, expected.is_none().then_some(body.len()), "{id} by {step}");
            }
        }
    }

    fn encode(chunks: &[Vec<u8>], extension: &str, trailers: &[(String, String)]) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
            out.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
            out.extend(chunk);
            out.extend(b"\r\n");
        }
        out.extend(format!("0{extension}\r\n").bytes());
        trailers.iter().for_each(|(name, value)| out.extend(format!("{name}: {value}\r\n").bytes()));
        out.extend(b"\r\n");
        out
    }

    fn fragments() -> impl Strategy<Value = Vec<u8>> {
        let known: &[&[u8]] = &[
            b"5\r\nhello\r\n",
            b"1\r\n",
            b"x\r\n",
            b"F",
            b"0\r\n",
            b"0\r\n\r\n",
            b"\r\n",
            b"\r",
            b"\n",
            b";a=b",
            b" ",
            b"A: b\r\n",
            b"A:",
        ];
        let fragment = prop_oneof![
            9 => select(known).prop_map(<[u8]>::to_vec),
            1 => prop::collection::vec(any::<u8>(), 0..9),
        ];
        prop::collection::vec(fragment, 0..16).prop_map(|fragments| fragments.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_have_one_outcome(bytes in fragments(), step in 1_usize..9, narrow in any::<bool>()) {
            let limits = if narrow { tight() } else { Limits::default() };
            let whole = decode([&bytes[..]].into_iter(), &limits);
            prop_assert_eq!(&decode(bytes.chunks(step), &limits), &whole);
            prop_assert_eq!(&decode(bytes.chunks(1), &limits), &whole);
        }

        #[test]
        fn what_is_encoded_comes_back_at_every_split(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            extension in "(;[a-z]{1,5}(=\"[ -!#-~]{0,5}\")?){0,2}",
            trailers in prop::collection::vec(("[A-Za-z-]{1,9}", "[!-~]{0,9}"), 0..4),
        ) {
            let body = encode(&chunks, &extension, &trailers);
            let expected = Seen { data: chunks.concat(), trailers, done: Some(body.len()), fault: None };
            for at in 0..body.len() {
                let (one, other) = body.split_at(at);
                prop_assert_eq!(&decode([one, other].into_iter(), &Limits::default()), &expected);
                let cut = decode([one].into_iter(), &Limits::default());
                prop_assert_eq!((cut.fault, cut.done), (None, None));
            }
        }
    }
}
