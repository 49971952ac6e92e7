//! Decodes the framing of a chunked body (RFC 9112, section 7.1). It does not move data, but says how much of it
//! follows.

use super::mend::{Dropped, Mender};
use super::{Fault, Limits};
use crate::error::{Limit, Violation};
use crate::headers::Headers;
use crate::strictness::Strictness;

/// The bytes that each chunk adds to the allowance for framing: its size and line ends, and a little more.
const PAID_BY_CHUNK: u64 = 16;

/// Decodes a chunked body. Its user feeds it all bytes of the body except the data.
///
/// The result does not depend on how the bytes are split.
#[derive(Debug)]
pub(crate) struct Chunked {
    state: State,
    /// The size of the chunk while it is read, then the rest of the chunk's data.
    size: u64,
    /// The length of the current size line so far.
    line_bytes: usize,
    /// All bytes of framing so far.
    framing: u64,
    /// The allowance for framing that chunks and data have added so far.
    paid: u64,
    strictness: Strictness,
    /// The trailer section, from its first field on. Most bodies have none.
    section: Option<Box<Section>>,
}

/// The fields between the last chunk and the end of the body.
#[derive(Debug, Default)]
pub(crate) struct Trailers {
    /// The fields. They are never merged into those of the head (RFC 9110, section 6.5.1).
    pub(crate) fields: Headers,
    /// The lines that were dropped.
    pub(crate) dropped: Dropped,
    /// The connection cannot be used again: a line was dropped, or a field was repaired that would decide on framing in
    /// a head.
    pub(crate) doubtful: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the size, after this number of digits.
    Size(u8),
    /// In the white space between the size and an extension.
    Space,
    Extension,
    /// After the CR of a size line.
    SizeEnd,
    Data,
    /// After the data.
    DataEnd,
    /// After the CR that follows the data.
    DataEndLf,
    Trailer,
    /// After the CR of the blank line.
    LastLf,
    Done,
}

impl Chunked {
    pub(crate) fn new(strictness: Strictness) -> Self {
        Chunked { state: State::Size(0), size: 0, line_bytes: 0, framing: 0, paid: 0, strictness, section: None }
    }

    /// Returns how many of the next bytes are data.
    pub(crate) fn data_left(&self) -> u64 {
        if self.state == State::Data { self.size } else { 0 }
    }

    /// Notes that `n` bytes of data were taken, at most [`data_left`](Self::data_left).
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

    /// Returns whether the last chunk, the trailer section and the blank line after it have been read.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Returns the trailers after the end of the body; `None` if there are none.
    pub(crate) fn take_trailers(&mut self) -> Option<Trailers> {
        self.section.take().and_then(|section| section.trailers)
    }

    /// Takes framing from the front of `input`, and returns how many bytes it took. After that, data follows, or the
    /// body is done, or all of `input` was taken.
    pub(crate) fn advance(&mut self, input: &[u8], limits: &Limits) -> Result<usize, Fault> {
        let mut taken = 0;
        while let Some(&byte) = input.get(taken) {
            match self.state {
                State::Data | State::Done => break,
                // A CR at the start of a line begins the blank line. Do not allocate a section for it.
                State::Trailer if byte == b'\r' && self.is_at_trailer_start() => {
                    self.state = State::LastLf;
                    taken += 1;
                }
                State::Trailer => {
                    let strictness = self.strictness;
                    let section = self.section.get_or_insert_with(|| Box::new(Section::new(strictness)));
                    taken += section.push(&input[taken..], limits)?;
                }
                State::LastLf => {
                    if byte != b'\n' {
                        return Err(Violation::Trailer.into());
                    }
                    if let Some(section) = &mut self.section {
                        section.end()?;
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
        self.section.as_ref().is_none_or(|section| section.line.is_empty())
    }

    /// Charges one byte of framing. Small chunks with long extensions must not be free (CVE-2023-39326).
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

    /// Returns the state after one byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, Violation> {
        match (self.state, byte) {
            (State::Size(digits), _) if byte.is_ascii_hexdigit() => {
                // 16 digits are 64 bits, so the shift loses no bit.
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
            // Old servers pad the size to a fixed width. The blanks leave no doubt where the data begins.
            (State::Space, b'\r') if !self.strictness.is_strict() => Ok(State::SizeEnd),
            // Refuse a lone LF: some readers end the line there, others skip it as part of the extension
            // (CVE-2025-22871).
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
            // `advance` does not call this in these states.
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

/// The trailer section while it arrives. It is not allocated before its first field.
///
/// Its lines follow the rules for the lines of a head, except that a line must end in CRLF.
#[derive(Debug)]
struct Section {
    /// The line that is not complete yet.
    line: Vec<u8>,
    /// A line that does not begin with white space has arrived.
    in_fields: bool,
    /// Lines that count as fields.
    fields: usize,
    /// The bytes of all lines.
    bytes: usize,
    mender: Mender,
    /// Set by the blank line.
    trailers: Option<Trailers>,
}

impl Section {
    fn new(strictness: Strictness) -> Section {
        let mender = Mender::new(strictness, false, Vec::new());
        Section { line: Vec::new(), in_fields: false, fields: 0, bytes: 0, mender, trailers: None }
    }

    /// Takes bytes up to the end of the line, and the field if the line is complete. `input` is not empty.
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
            // Refuse a lone LF: other readers may take it for the blank line.
            if !self.line.ends_with(b"\r\n") {
                return Err(Violation::Trailer.into());
            }
            self.mender.push(&self.line).map_err(|_| Violation::Trailer)?;
            self.line.clear();
        }
        Ok(part.len())
    }

    fn check_start(&mut self, input: &[u8], limits: &Limits) -> Result<(), Fault> {
        let is_fold = matches!(input, [b' ' | b'\t', ..]);
        if input.starts_with(b"\n") || (is_fold && self.mender.is_strict()) {
            return Err(Violation::Trailer.into());
        }
        self.in_fields |= !is_fold;
        if is_fold && self.in_fields {
            return Ok(());
        }
        if self.fields >= limits.trailer_fields {
            return Err(Limit::Trailers.into());
        }
        self.fields += 1;
        Ok(())
    }

    /// Ends the section at the blank line: no fold can follow any more.
    fn end(&mut self) -> Result<(), Violation> {
        let (mut fields, lines) = (Headers::new(), std::mem::take(&mut self.mender.out));
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let colon = memchr::memchr(b':', line).ok_or(Violation::Trailer)?;
            let name = std::str::from_utf8(&line[..colon]).map_err(|_| Violation::Trailer)?;
            // The rules for sent fields hold for received ones too (RFC 9110, sections 5.1 and 5.5).
            fields.append(name, &line[colon + 1..]).map_err(|_| Violation::Trailer)?;
        }
        let dropped = std::mem::take(&mut self.mender.dropped);
        let doubtful = self.mender.mended || dropped.lines > 0;
        self.trailers = Some(Trailers { fields, dropped, doubtful });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// The result of a body's reader, up to the end of the input or to the fault.
    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        data: Vec<u8>,
        trailers: Vec<(String, String)>,
        dropped: usize,
        doubtful: bool,
        /// How many bytes the body took, if it is done.
        done: Option<usize>,
        fault: Option<Fault>,
    }

    const BOTH: [Strictness; 2] = [Strictness::Tolerant, Strictness::Strict];

    fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits, strictness: Strictness) -> Seen {
        let mut seen = Seen::default();
        let mut decoder = Chunked::new(strictness);
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
                let section = decoder.section.as_deref();
                assert!(section.is_none_or(|it| it.line.len() + it.mender.out.len() <= 2 * limits.trailer_bytes));
                assert!(section.is_none_or(|it| it.fields <= limits.trailer_fields));
                piece = &piece[n..];
                taken += n;
            }
        }
        let trailers = decoder.take_trailers().unwrap_or_default();
        assert!(decoder.take_trailers().is_none());
        (seen.dropped, seen.doubtful) = (trailers.dropped.lines, trailers.doubtful);
        seen.trailers =
            trailers.fields.iter().map(|field| (field.name().to_owned(), field.value().into_owned())).collect();
        seen.done = decoder.is_done().then_some(taken);
        seen
    }

    fn at_once(body: &[u8], strictness: Strictness) -> Seen {
        decode([body].into_iter(), &Limits::default(), strictness)
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

    fn is_accepted(strictness: Strictness, table: &[Accepted]) {
        for (id, body, data, trailers) in table {
            let surplus = [body, "HTTP/1.1 200 OK"].concat();
            let seen = at_once(surplus.as_bytes(), strictness);
            assert_eq!((seen.fault, seen.done), (None, Some(body.len())), "{id}");
            assert_eq!(seen.data, data.as_bytes(), "{id}");
            let shown: Vec<_> = seen.trailers.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(shown, *trailers, "{id}");
            assert_eq!(seen.doubtful, id.contains("dropped") || id.contains("of framing"), "{id}");
            assert_eq!(seen.dropped > 0, id.contains("dropped"), "{id}");
        }
    }

    #[test]
    fn accepted() {
        BOTH.into_iter().for_each(|strictness| is_accepted(strictness, ACCEPTED));
    }

    /// A strict reader refuses these rows, for the reason at the end of the row's name.
    const TOLERATED: &[Accepted] = &[
        ("RW-12 blanks: ChunkSize", "5   \r\nhello\r\n0   \r\n\r\n", "hello", &[]),
        ("RW-12 tab: ChunkSize", "5\t\r\nhello\r\n0\r\n\r\n", "hello", &[]),
        ("RW-51 blank before the colon", "0\r\nX-Sum : 1\r\n\r\n", "", &[("X-Sum", "1")]),
        ("RW-51 fold", "0\r\nA: b\r\n\t c\r\nD: e\r\n\r\n", "", &[("A", "b c"), ("D", "e")]),
        ("RW-51 dropped, no colon", "0\r\ngarbage\r\nA: b\r\n\r\n", "", &[("A", "b")]),
        ("RW-51 dropped with its folds", "0\r\ngarbage\r\n c\r\n\td\r\nA: b\r\n\r\n", "", &[("A", "b")]),
        ("RW-51 dropped, empty name", "0\r\n: b\r\n\r\n", "", &[]),
        ("RW-51 dropped, name no token", "0\r\n\u{e9}: b\r\n\r\n", "", &[]),
        ("RW-51 dropped, white space first", "0\r\n A: b\r\nC: d\r\n\r\n", "", &[("C", "d")]),
        ("RW-51 dropped, control byte", "0\r\nA: b\x01\r\nC: d\r\n\r\n", "", &[("C", "d")]),
        ("RW-51 dropped, control byte in a fold", "0\r\nA: b\r\n \x01\r\nC: d\r\n\r\n", "", &[("C", "d")]),
        ("RW-51 name of framing", "0\r\nContent-Length : 5\r\n\r\n", "", &[("Content-Length", "5")]),
        ("RW-51 fold of framing", "0\r\nConnection: a,\r\n b\r\n\r\n", "", &[("Connection", "a, b")]),
    ];

    #[test]
    fn what_a_tolerant_reader_accepts() {
        is_accepted(Strictness::Tolerant, TOLERATED);
        for (id, body, ..) in TOLERATED {
            let seen = at_once(body.as_bytes(), Strictness::Strict);
            let violation = if id.ends_with("ChunkSize") { ChunkSize } else { Trailer };
            assert_eq!((seen.fault, seen.done), (Some(Fault::Violation(violation)), None), "{id}");
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
        ("NUL", "0\r\nA: b\0\r\n", Trailer),
        ("bare CR", "0\r\nA: b\rc\r\n", Trailer),
        ("RW-51 LF after a bad trailer", "0\r\ngarbage\n\r\n", Trailer),
        ("RW-51 only blanks", "0\r\nA: b\r\n \t\r\n", Trailer),
        ("RW-51 only blanks first", "0\r\n \r\n", Trailer),
        ("RW-51 CR after a trailer", "0\r\nA: b\r\r\n", Trailer),
        ("RW-51 NUL in a line without a colon", "0\r\nga\0bage\r\n", Trailer),
        ("RW-51 length with a control byte", "0\r\nContent-Length: 5\x01\r\n", Trailer),
        ("RW-51 name of a length, blank inside", "0\r\nContent -Length: 5\r\n", Trailer),
        ("RW-51 folded length", "0\r\nContent-Length: 5\r\n 5\r\n", Trailer),
        ("RW-12 digit after a blank", "0 5\r\n", ChunkSize),
        ("RW-12 LF after blanks", "0  \n\r\n", ChunkEnd),
    ];

    #[test]
    fn refused() {
        for (id, body, expected) in REFUSED {
            for strictness in BOTH {
                let seen = at_once(body.as_bytes(), strictness);
                assert_eq!((seen.fault, seen.done), (Some(Fault::Violation(*expected)), None), "{id}");
            }
        }
    }

    /// Row A6.4: a body that is cut off is never a complete body.
    #[test]
    fn what_is_cut_off_is_never_done() {
        for (id, body, ..) in ACCEPTED.iter().chain(TOLERATED) {
            for len in 0..body.len() {
                let seen = at_once(&body.as_bytes()[..len], Strictness::Tolerant);
                assert_eq!((seen.fault, seen.done), (None, None), "{id} cut at {len}");
            }
        }
    }

    #[test]
    fn no_split_changes_the_outcome() {
        let accepted = ACCEPTED.iter().chain(TOLERATED).map(|row| (row.0, row.1));
        let corpus = accepted.chain(REFUSED.iter().map(|row| (row.0, row.1)));
        for ((id, body), strictness) in corpus.flat_map(|row| BOTH.map(|strictness| (row, strictness))) {
            for limits in [Limits::default(), tight()] {
                let body = body.as_bytes();
                let whole = decode([body].into_iter(), &limits, strictness);
                for at in 0..body.len() {
                    let (one, other) = body.split_at(at);
                    assert_eq!(decode([one, other].into_iter(), &limits, strictness), whole, "{id} cut at {at}");
                }
                assert_eq!(decode(body.chunks(1), &limits, strictness), whole, "{id} byte by byte");
            }
        }
    }

    /// Row A6.3: an announced size is only a number, up to the largest.
    #[test]
    fn an_announced_size_costs_nothing() {
        for (line, size) in [("7FFFFFFFFFFFFFFF\r\n", i64::MAX as u64), ("ffffffffffffffff\r\n", u64::MAX)] {
            let mut decoder = Chunked::new(Strictness::Tolerant);
            let input = [line, "0123456789"].concat();
            assert_eq!(decoder.advance(input.as_bytes(), &Limits::default()), Ok(line.len()));
            assert_eq!(decoder.data_left(), size);
            decoder.consume(10);
            assert_eq!((decoder.data_left(), decoder.is_done()), (size - 10, false));
            decoder.consume(u64::MAX);
            assert_eq!((decoder.data_left(), decoder.is_done()), (0, false));
            assert_eq!(decoder.advance(b"\r\n0\r\n\r\n", &Limits::default()), Ok(7));
            assert!(decoder.is_done());
            assert!(decoder.section.is_none());
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
            ("RW-51 bad lines", "0\r\na\r\nb\r\nc".into(), Some(Limit::Trailers)),
            ("RW-51 lines before the first", "0\r\n a\r\n b\r\n c".into(), Some(Limit::Trailers)),
            ("RW-51 folds", ["0\r\na:\r\n", &" b\r\n".repeat(9)].concat(), Some(Limit::Trailers)),
        ];
        for (id, body, expected) in table {
            for step in [1, 3, usize::MAX] {
                let seen = decode(body.as_bytes().chunks(step), &tight(), Strictness::Tolerant);
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
            b" :",
            b"0 \r\n",
            b" b\r\n",
            b"\x01",
        ];
        let fragment = prop_oneof![
            9 => select(known).prop_map(<[u8]>::to_vec),
            1 => prop::collection::vec(any::<u8>(), 0..9),
        ];
        prop::collection::vec(fragment, 0..16).prop_map(|fragments| fragments.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_have_one_outcome(
            bytes in fragments(), step in 1_usize..9, narrow in any::<bool>(), strict in any::<bool>(),
        ) {
            let limits = if narrow { tight() } else { Limits::default() };
            let strictness = BOTH[usize::from(strict)];
            let whole = decode([&bytes[..]].into_iter(), &limits, strictness);
            prop_assert_eq!(&decode(bytes.chunks(step), &limits, strictness), &whole);
            prop_assert_eq!(&decode(bytes.chunks(1), &limits, strictness), &whole);
        }

        /// A tolerant reader differs only where a strict one refuses.
        #[test]
        fn what_is_strictly_right_means_the_same_to_both(bytes in fragments(), narrow in any::<bool>()) {
            let limits = if narrow { tight() } else { Limits::default() };
            let [tolerant, strict] = BOTH.map(|strictness| decode([&bytes[..]].into_iter(), &limits, strictness));
            if strict.fault.is_none() {
                prop_assert_eq!(tolerant, strict);
            }
        }

        #[test]
        fn what_is_encoded_comes_back_at_every_split(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            extension in "(;[a-z]{1,5}(=\"[ -!#-~]{0,5}\")?){0,2}",
            trailers in prop::collection::vec(("[A-Za-z-]{1,9}", "[!-~]{0,9}"), 0..4),
        ) {
            let body = encode(&chunks, &extension, &trailers);
            let expected = Seen { data: chunks.concat(), trailers, done: Some(body.len()), ..Seen::default() };
            for at in 0..body.len() {
                let (one, other) = body.split_at(at);
                for strictness in BOTH {
                    let decode = |pieces: &[&[u8]]| decode(pieces.iter().copied(), &Limits::default(), strictness);
                    prop_assert_eq!(&decode(&[one, other]), &expected);
                    let cut = decode(&[one]);
                    prop_assert_eq!((cut.fault, cut.done), (None, None));
                }
            }
        }
    }
}
