//! Bodies that are read while they are sent.
//!
//! The bytes that were read lie in the *stage* until they are sent, and chunks are framed there. The stage starts over
//! only when it is full. Until then the start of the body lies in it and can be sent again, whatever the reader is.

use std::fmt;
use std::io;

use super::input::Input;
use crate::error::Result;

/// Room before the data of a chunk for its size line (`20000` and CRLF), and after the data for CRLF.
const BEFORE: usize = 7;
const BEHIND: usize = 2;

/// A body up to this size leaves with the head, in one send; a larger one in pieces of this size.
pub(crate) const PIECE: usize = 128 * 1024;

/// With less room than this the stage starts over, because a large body would leave in small sends.
const LEAST_ROOM: usize = PIECE / 2;

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The framing of one chunk, and the last chunk after it.
const FRAMING: usize = BEFORE + BEHIND + LAST_CHUNK.len();

/// A whole piece with its framing.
const STAGE: usize = PIECE + FRAMING;

/// How a body is cut into chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Chunking {
    /// Only a body of unknown length is sent in chunks: what one read gives is one chunk.
    #[default]
    AsNeeded,
    /// Any body is sent in chunks.
    Always,
    /// Any body is sent in chunks, and each chunk but the last has this many bytes: at least one, and at most a piece.
    Exactly(usize),
}

pub(crate) struct Source {
    input: Input,
    chunking: Chunking,
    /// The last byte was read, and the end of the body lies in the stage.
    ended: bool,
    stage: Vec<u8>,
    /// How much of the stage is filled, and how much of it is sent.
    filled: usize,
    sent: usize,
    /// The start of the body is no longer in the stage.
    passed: bool,
    /// Where the first chunk begins in the stage that may not have been sent as a whole, and how many bytes of the body
    /// are before it.
    chunk: (usize, u64),
}

impl Source {
    pub(super) fn new(input: Input) -> Source {
        Source {
            input,
            chunking: Chunking::AsNeeded,
            ended: false,
            stage: Vec::new(),
            filled: 0,
            sent: 0,
            passed: false,
            chunk: (0, 0),
        }
    }

    /// Returns the length of what is read, however it is framed.
    pub(super) fn length(&self) -> Option<u64> {
        self.input.length()
    }

    /// Returns the length, if the server is told it in the head.
    pub(super) fn length_told(&self) -> Option<u64> {
        self.input.length().filter(|_| self.chunking == Chunking::AsNeeded)
    }

    /// Sets the length, unless something was read: that is framed without a length.
    pub(super) fn declare(&mut self, length: u64) {
        if self.stage.is_empty() {
            self.input.declare(length);
        }
    }

    /// Sets how the body is cut. Fails if something was read, which is framed otherwise, and cannot be read again.
    pub(super) fn set_chunking(&mut self, chunking: Chunking) -> io::Result<()> {
        if chunking != self.chunking && !self.stage.is_empty() {
            self.input.restart()?;
            self.stage = Vec::new();
            (self.filled, self.sent, self.ended, self.passed, self.chunk) = (0, 0, false, false, (0, 0));
        }
        self.chunking = chunking;
        Ok(())
    }

    pub(super) fn try_clone(&self) -> Option<Source> {
        Some(Source { chunking: self.chunking, ..Source::new(self.input.try_clone()?) })
    }

    pub(super) fn begin_at(&mut self, position: u64) -> io::Result<()> {
        self.input.begin_at(position)
    }

    pub(super) fn into_input(self) -> Input {
        self.input
    }

    pub(super) fn prepare(&mut self) -> Result<()> {
        self.input.prepare()
    }

    pub(super) fn can_rewind(&self) -> bool {
        !self.passed || self.input.can_restart()
    }

    pub(super) fn rewind(&mut self) -> io::Result<()> {
        if self.passed {
            self.input.restart()?;
            (self.passed, self.ended, self.filled) = (false, false, 0);
        }
        (self.sent, self.chunk) = (0, (0, 0));
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        self.ended && self.sent == self.filled
    }

    /// Returns what is to be sent next. Reads if all that was read has been sent. Empty only at the end.
    pub(super) fn piece(&mut self) -> Result<&[u8]> {
        if self.sent == self.filled && !self.ended {
            match (self.length_told(), self.chunking) {
                (Some(length), _) => self.read_exactly(length)?,
                (None, Chunking::Exactly(size)) => self.read_chunks(size)?,
                (None, _) => self.read_chunk()?,
            }
        }
        Ok(&self.stage[self.sent..self.filled])
    }

    pub(super) fn advance(&mut self, sent: usize) {
        self.sent = (self.sent + sent).min(self.filled);
    }

    /// Returns how many bytes of the body were sent. The framing of chunks does not count.
    pub(super) fn body_bytes_sent(&mut self) -> u64 {
        if self.length_told().is_some() {
            return self.input.position().saturating_sub((self.filled - self.sent) as u64);
        }
        loop {
            let (start, before) = self.chunk;
            let (line, len) = read_size(&self.stage[start..self.filled]);
            let of_data = self.sent.saturating_sub(start + line).min(len);
            if len == 0 || self.sent < start + line + len + BEHIND {
                return before + of_data as u64;
            }
            self.chunk = (start + line + len + BEHIND, before + len as u64);
        }
    }

    /// Makes room for at least `least` bytes after the filled part of the stage, or for `left` bytes if it is known
    /// that no more follow.
    fn make_room(&mut self, left: Option<u64>, least: usize) {
        let left = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        if self.stage.is_empty() {
            // Zeroed once, then only overwritten.
            self.stage = vec![0; left.min(STAGE)];
        } else if self.stage.len() - self.filled < left.min(least) {
            (self.filled, self.sent, self.passed) = (0, 0, true);
            self.chunk = (0, self.input.position());
        }
    }

    fn read_exactly(&mut self, length: u64) -> Result<()> {
        self.make_room(Some(length.saturating_sub(self.input.position())), LEAST_ROOM);
        let room = &mut self.stage[self.filled..];
        let most = room.len().min(PIECE);
        let len = self.input.pull(&mut room[..most])?;
        if self.input.is_spent() {
            // The server would take a longer body for a whole one, so the end is checked before the last piece leaves.
            self.input.check_end()?;
            self.ended = true;
        }
        self.filled += len;
        Ok(())
    }

    fn read_chunk(&mut self) -> Result<()> {
        self.make_room(None, LEAST_ROOM);
        let room = &mut self.stage[self.filled..];
        let most = (room.len() - FRAMING).min(PIECE);
        let len = self.input.pull(&mut room[BEFORE..BEFORE + most])?;
        self.frame(len);
        Ok(())
    }

    /// Reads chunks of that size: one, or as many as there is room for if the reader does not wait.
    fn read_chunks(&mut self, size: usize) -> Result<()> {
        self.make_room(None, LEAST_ROOM.max(size + FRAMING));
        loop {
            let room = &mut self.stage[self.filled + BEFORE..][..size];
            let mut len = 0;
            while len < size {
                match self.input.pull(&mut room[len..])? {
                    0 => break,
                    more => len += more,
                }
            }
            if len > 0 {
                self.frame(len);
            }
            if len < size {
                self.frame(0);
            }
            if self.ended || !self.input.is_at_hand() || self.stage.len() - self.filled < size + FRAMING {
                return Ok(());
            }
        }
    }

    /// Frames the chunk whose data lies after the room for its size. Without data it is the last chunk.
    fn frame(&mut self, len: usize) {
        let room = &mut self.stage[self.filled..];
        if len == 0 {
            room[..LAST_CHUNK.len()].copy_from_slice(LAST_CHUNK);
            self.filled += LAST_CHUNK.len();
            self.ended = true;
            return;
        }
        let size = write_size(room, len);
        // Only a whole piece needs all the room for its size line; other data moves up to its own.
        if size < BEFORE {
            room.copy_within(BEFORE..BEFORE + len, size);
        }
        room[size + len..][..BEHIND].copy_from_slice(b"\r\n");
        self.filled += size + len + BEHIND;
    }
}

/// Writes the size line of a chunk of at most a piece, and returns the length of that line.
fn write_size(out: &mut [u8], len: usize) -> usize {
    let digits = (len.max(1).ilog2() / 4 + 1) as usize;
    for (at, digit) in out[..digits].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[len >> (4 * (digits - 1 - at)) & 0xF];
    }
    out[digits..digits + 2].copy_from_slice(b"\r\n");
    digits + 2
}

/// Returns the length of the size line at the start, and the size in it. The size is 0 if there is none.
fn read_size(framed: &[u8]) -> (usize, usize) {
    let digits = framed.iter().map_while(|&byte| char::from(byte).to_digit(16));
    let (count, len) = digits.fold((0, 0), |(count, len), digit| (count + 1, len << 4 | digit as usize));
    (count + 2, len)
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.input.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use proptest::prelude::*;

    use super::*;
    use crate::body::{Body, Extent};
    use crate::error::ErrorKind;

    /// Gives its bytes in pieces of these sizes, over and over, and then fails if `then` is set.
    struct Pieces {
        bytes: Cursor<Vec<u8>>,
        sizes: Vec<usize>,
        next: usize,
        then: Option<io::ErrorKind>,
    }

    impl Read for Pieces {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let size = self.sizes[self.next % self.sizes.len()].min(buf.len());
            self.next += 1;
            match (self.bytes.read(&mut buf[..size])?, self.then) {
                (0, Some(error)) if !buf.is_empty() => Err(error.into()),
                (len, _) => Ok(len),
            }
        }
    }

    fn pieces(bytes: &[u8], sizes: &[usize]) -> Pieces {
        Pieces { bytes: Cursor::new(bytes.to_vec()), sizes: sizes.to_vec(), next: 0, then: None }
    }

    /// Returns all that is sent, taken at most `step` bytes at a time.
    fn send(body: &mut Body, step: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut outgoing = body.outgoing();
        loop {
            let piece = outgoing.piece()?;
            if piece.is_empty() {
                assert!(outgoing.is_done());
                return Ok(out);
            }
            assert!(piece.len() <= STAGE);
            let len = piece.len().min(step);
            out.extend_from_slice(&piece[..len]);
            outgoing.advance(len);
        }
    }

    /// Returns the data of chunks, by a decoder that is as simple as possible.
    fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        loop {
            let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a size line");
            let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
            bytes = &bytes[end + 2..];
            data.extend_from_slice(&bytes[..size]);
            assert_eq!(&bytes[size..size + 2], b"\r\n");
            bytes = &bytes[size + 2..];
            if size == 0 {
                assert!(bytes.is_empty(), "nothing behind the last chunk");
                return data;
            }
        }
    }

    #[test]
    fn what_one_read_gives_is_one_chunk() {
        let mut body = Body::reader(pieces(b"hello world", &[5, 6]));
        assert_eq!(body.extent(), Extent::Unknown);
        assert_eq!(send(&mut body, usize::MAX).unwrap(), b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
        assert_eq!(send(&mut Body::reader(io::empty()), 1).unwrap(), b"0\r\n\r\n");
    }

    /// Returns the sizes of the chunks, by the same decoder.
    fn sizes(mut bytes: &[u8]) -> Vec<usize> {
        let mut sizes = Vec::new();
        while !bytes.is_empty() {
            let (line, len) = read_size(bytes);
            bytes = &bytes[line + len + 2..];
            sizes.push(len);
        }
        sizes
    }

    #[test]
    fn chunks_of_one_size() {
        let long = vec![7; 300_000];
        let table: [(&str, Body, usize, Vec<usize>); 9] = [
            ("B71", Body::from(vec![7; 2500]), 1024, vec![1024, 1024, 452, 0]),
            ("B71 even", Body::from(vec![7; 2048]), 1024, vec![1024, 1024, 0]),
            ("B71 a reader in pieces", Body::reader(pieces(&[7; 10], &[3])), 4, vec![4, 4, 2, 0]),
            ("B71 of known length", Body::sized(pieces(&[7; 10], &[3]), 10), 4, vec![4, 4, 2, 0]),
            ("B71 a seekable reader", Body::seekable(Cursor::new(vec![7; 9])), 3, vec![3, 3, 3, 0]),
            ("B71 a whole piece", Body::from(long.clone()), PIECE, vec![PIECE, PIECE, 300_000 - 2 * PIECE, 0]),
            ("B71 nearly one", Body::from(long), 65_537, vec![65_537, 65_537, 65_537, 65_537, 37_852, 0]),
            ("B71 one", Body::from("abc"), 1, vec![1, 1, 1, 0]),
            ("B71 nothing", Body::from(""), 5, vec![0]),
        ];
        for (id, mut body, size, expected) in table {
            let data = body.as_bytes().map(<[u8]>::to_vec);
            body.set_chunking(Chunking::Exactly(size)).unwrap();
            body.prepare().unwrap();
            assert_eq!(body.extent(), Extent::Unknown, "{id}");
            let sent = send(&mut body, usize::MAX).unwrap();
            assert_eq!(sizes(&sent), expected, "{id}");
            if let Some(data) = data {
                assert!(unchunk(&sent) == data, "{id}");
                assert!(body.can_rewind(), "{id}: chunked bytes are bytes");
                body.rewind().unwrap();
                assert!(send(&mut body, 1000).unwrap() == sent, "{id}");
            }
        }
        let mut all = Body::from(vec![7; 200_000]);
        all.set_chunking(Chunking::Always).unwrap();
        assert_eq!(sizes(&send(&mut all, usize::MAX).unwrap()), [PIECE, 200_000 - PIECE, 0]);
        let mut none = Body::empty();
        none.set_chunking(Chunking::Always).unwrap();
        assert_eq!(none.extent(), Extent::Nothing);
    }

    #[test]
    fn a_length_is_kept_in_chunks_too() {
        let too = |declared, read| ErrorKind::BodyLength { declared, read };
        for (bytes, declared, expected) in [("abcd", 3, too(3, 4)), ("ab", 3, too(3, 2))] {
            for chunking in [Chunking::Always, Chunking::Exactly(2)] {
                let mut body = Body::sized(Cursor::new(bytes), declared);
                body.set_chunking(chunking).unwrap();
                assert_eq!(send(&mut body, 1).unwrap_err().kind(), &expected);
            }
        }
    }

    /// A hook may change the chunking between two hops.
    #[test]
    fn chunks_of_what_was_read() {
        let mut bytes = Body::from("text");
        bytes.set_chunking(Chunking::Always).unwrap();
        bytes.prime().unwrap();
        bytes.set_chunking(Chunking::Exactly(2)).unwrap();
        assert_eq!(send(&mut bytes, 99).unwrap(), b"2\r\nte\r\n2\r\nxt\r\n0\r\n\r\n");
        let mut once = Body::sized(Cursor::new("text"), 4);
        once.prime().unwrap();
        assert_eq!(once.set_chunking(Chunking::Always).unwrap_err().kind(), &ErrorKind::BodyRead);
        let mut chunked = Body::reader(Cursor::new("text"));
        chunked.prime().unwrap();
        chunked.declare(4);
        assert_eq!(chunked.extent(), Extent::Unknown, "it is in chunks already");
    }

    /// Small chunks of bytes that are in memory leave together. Small chunks of a reader that may block leave when they
    /// are full.
    #[test]
    fn small_chunks() {
        let count = |mut body: Body| {
            body.set_chunking(Chunking::Exactly(100)).unwrap();
            let (mut outgoing, mut pieces) = (body.outgoing(), 0);
            while let len @ 1.. = outgoing.piece().unwrap().len() {
                outgoing.advance(len);
                pieces += 1;
            }
            pieces
        };
        assert_eq!(count(Body::from(vec![7; 10_000])), 1);
        assert_eq!(count(Body::reader(io::repeat(7).take(1000))), 11);
    }

    #[test]
    fn sizes_of_chunks() {
        for len in [0, 1, 9, 10, 15, 16, 255, 256, 4095, 4096, 65_535, 65_536, PIECE] {
            let mut out = [0; BEFORE];
            let written = write_size(&mut out, len);
            assert_eq!(out[..written], *format!("{len:x}\r\n").as_bytes());
            assert_eq!(read_size(&out[..written]), (written, len));
        }
    }

    /// A large body leaves in whole pieces.
    #[test]
    fn as_few_pieces_as_can_be() {
        let size = 8 * PIECE + 1;
        for body in
            [Body::reader(io::repeat(7).take(size as u64)), Body::sized(io::repeat(7).take(size as u64), size as u64)]
        {
            let (mut body, mut pieces) = (body, 0);
            let mut outgoing = body.outgoing();
            while let len @ 1.. = outgoing.piece().unwrap().len() {
                outgoing.advance(len);
                pieces += 1;
            }
            assert!(pieces <= 10, "{pieces}");
        }
    }

    #[test]
    fn lengths_are_kept() {
        let too = |declared, read| ErrorKind::BodyLength { declared, read };
        let table = [
            ("A4.4 fewer", 3, &b"ab"[..], 2, Some(too(3, 2))),
            ("nothing at all", 3, b"", 0, Some(too(3, 0))),
            ("exactly", 3, b"abc", 3, None),
            ("A4.3 more", 3, b"abcde", 0, Some(too(3, 4))),
            ("none", 0, b"", 0, None),
            ("more than none", 0, b"a", 0, Some(too(0, 1))),
            ("far more than there is", u64::MAX, b"abc", 3, Some(too(u64::MAX, 3))),
        ];
        for (id, declared, bytes, out, expected) in table {
            let mut body = Body::sized(Cursor::new(bytes), declared);
            assert_eq!(body.extent(), Extent::Length(declared), "{id}");
            let mut sent = Vec::new();
            let mut outgoing = body.outgoing();
            let end = loop {
                match outgoing.piece() {
                    Ok([]) => break None,
                    Ok(piece) => {
                        let len = piece.len();
                        sent.extend_from_slice(piece);
                        outgoing.advance(len);
                    }
                    Err(error) => break Some(error.kind().clone()),
                }
            };
            assert_eq!((sent.len(), end), (out, expected), "{id}");
        }
    }

    #[test]
    fn readers_that_fail() {
        let failing = |bytes| Pieces { then: Some(io::ErrorKind::Other), ..pieces(bytes, &[1]) };
        let table = [
            ("at once", Body::reader(failing(b""))),
            ("midway", Body::sized(failing(b"ab"), 9)),
            ("a factory", Body::factory(|| Err::<io::Empty, _>(io::ErrorKind::NotFound.into()), None)),
            ("one that lies", Body::reader(Liar)),
        ];
        for (id, mut body) in table {
            let error = send(&mut body, 1).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::BodyRead, "{id}");
            assert!(std::error::Error::source(&error).is_some(), "{id}");
        }
        let mut interrupted = Body::reader(Interrupted(0));
        assert_eq!(unchunk(&send(&mut interrupted, 99).unwrap()), b"x");
    }

    /// Claims to have read more than it had room for.
    struct Liar;

    impl Read for Liar {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            Ok(buf.len() + 1)
        }
    }

    /// Is interrupted by a signal, then gives one byte, and ends.
    struct Interrupted(usize);

    impl Read for Interrupted {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::ErrorKind::Interrupted.into()),
                2 => b"x".as_slice().read(buf),
                _ => Ok(0),
            }
        }
    }

    #[test]
    fn a_seekable_reader_begins_where_it_stood() {
        let mut reader = Cursor::new(b"skipped body".to_vec());
        reader.set_position(8);
        let mut body = Body::seekable(reader);
        body.prepare().unwrap();
        assert_eq!(body.extent(), Extent::Length(4));
        for _ in 0..3 {
            assert_eq!(send(&mut body, 3).unwrap(), b"body");
            assert!(body.can_rewind());
            body.rewind().unwrap();
        }
        let mut behind_its_end = Cursor::new(b"ab".to_vec());
        behind_its_end.set_position(9);
        let mut body = Body::seekable(behind_its_end);
        body.prepare().unwrap();
        assert_eq!(send(&mut body, 1).unwrap(), b"");
    }

    #[test]
    fn who_can_be_sent_again() {
        let long = vec![7; 2 * PIECE];
        let once = |bytes: &[u8]| Body::reader(Cursor::new(bytes.to_vec()));
        let table: Vec<(&str, Body, bool)> = vec![
            ("nothing", Body::empty(), true),
            ("bytes", Body::from(long.clone()), true),
            ("a seekable reader", Body::seekable(Cursor::new(long.clone())), true),
            (
                "a factory",
                Body::factory(
                    {
                        let long = long.clone();
                        move || Ok(Cursor::new(long.clone()))
                    },
                    None,
                ),
                true,
            ),
            ("a short reader", once(b"short"), true),
            ("a reader of half the buffer", once(&long[..PIECE / 2]), true),
            (
                "as long as the buffer, of known length",
                Body::sized(Cursor::new(long[..PIECE].to_vec()), PIECE as u64),
                true,
            ),
            ("a short reader of known length", Body::sized(Cursor::new(b"short"), 5), true),
            ("a short reader, byte by byte", Body::sized(pieces(b"short", &[1]), 5), true),
            ("a long reader", once(&long), false),
            ("a long reader of known length", Body::sized(Cursor::new(long.clone()), long.len() as u64), false),
        ];
        for (id, mut body, expected) in table {
            body.prepare().unwrap();
            let first = send(&mut body, 1000).unwrap();
            assert_eq!(body.can_rewind(), expected, "{id}");
            assert_eq!(body.rewind().is_ok(), expected, "{id}");
            if expected {
                assert_eq!(send(&mut body, usize::MAX).unwrap(), first, "{id}");
            }
        }
    }

    proptest! {
        #[test]
        fn however_it_is_read_and_sent(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            copies in prop_oneof![Just(1_usize), 100..200_usize],
            sizes in proptest::collection::vec(prop_oneof![1_usize..10, 1000..200_000_usize], 1..5),
            step in prop_oneof![1_usize..20, Just(usize::MAX)],
            stop in any::<proptest::sample::Index>(),
        ) {
            let bytes = bytes.repeat(copies);
            // Byte by byte through a large body takes long.
            let (sizes, step) = match bytes.len() > 10_000 {
                true => (sizes.iter().map(|size| size + 1000).collect(), step.max(500)),
                false => (sizes, step),
            };
            let mut chunked = Body::reader(pieces(&bytes, &sizes));
            prop_assert_eq!(&unchunk(&send(&mut chunked, step).unwrap()), &bytes);
            let mut sized = Body::sized(pieces(&bytes, &sizes), bytes.len() as u64);
            prop_assert_eq!(&send(&mut sized, step).unwrap(), &bytes);
            // Chunks of one size, but for the last.
            let mut equal = Body::reader(pieces(&bytes, &sizes));
            let size = sizes[0].min(PIECE);
            equal.set_chunking(Chunking::Exactly(size)).unwrap();
            let mut left = self::sizes(&send(&mut equal, step).unwrap());
            left.truncate(left.len().saturating_sub(2));
            prop_assert!(left.iter().all(|&len| len == size));
            // The body is begun, stopped anywhere, and begun again.
            let make = { let (bytes, sizes) = (bytes.clone(), sizes.clone()); move || Ok(pieces(&bytes, &sizes)) };
            let mut factory = Body::factory(make, None);
            let mut left = stop.index(bytes.len() + 1);
            let mut outgoing = factory.outgoing();
            while left > 0 {
                let len = outgoing.piece().unwrap().len().min(left);
                outgoing.advance(len);
                left -= len;
            }
            factory.rewind().unwrap();
            prop_assert_eq!(&unchunk(&send(&mut factory, step).unwrap()), &bytes);
        }
    }
}
