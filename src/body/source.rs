//! Bodies that are read while they are sent.
//!
//! What was read lies in a stage until it is sent; chunk framing is put round it there. The stage is filled up before
//! it is begun anew, so that the start of a body can be sent again as long as it still lies there, whatever the reader
//! is.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use super::outgoing::PIECE;
use crate::error::{Error, ErrorKind, Phase, Result};

/// Room for the size line of a chunk in front of its data (`20000` and CRLF), and for what follows the data.
const BEFORE: usize = 7;
const BEHIND: usize = 2;

/// Less room than this would make small sends of a large body: the stage is begun anew.
const LEAST_ROOM: usize = PIECE / 2;

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A whole piece with what frames it, and the end behind it.
const STAGE: usize = PIECE + BEFORE + BEHIND + LAST_CHUNK.len();

pub(crate) trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

type Make = dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync;

/// Where the bytes come from.
pub(super) enum Reader {
    Once(Box<dyn Read + Send>),
    Seekable {
        reader: Box<dyn ReadSeek>,
        /// Where it stood, once that was asked.
        start: Option<u64>,
    },
    Factory {
        make: Arc<Make>,
        made: Option<Box<dyn Read + Send>>,
    },
}

impl Reader {
    /// Reads once; as `read` does it, but for interruptions and for readers that claim more than there was room for.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let reader: &mut dyn Read = match self {
            Reader::Once(reader) => reader,
            Reader::Seekable { reader, .. } => reader,
            Reader::Factory { make, made } => match made {
                Some(reader) => reader,
                None => made.insert(make()?),
            },
        };
        loop {
            match reader.read(buf) {
                Ok(len) if len > buf.len() => {
                    return Err(io::Error::other("the reader says that it has read more than was asked for"));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => return result,
            }
        }
    }
}

pub(crate) struct Source {
    reader: Reader,
    length: Option<u64>,
    /// The length was found out and not declared: what has been added since is not sent, and no error.
    measured: bool,
    /// Bytes read so far.
    read: u64,
    /// The last byte was read, and what marks the end lies in the stage.
    ended: bool,
    stage: Vec<u8>,
    /// Of the stage, what is filled and what is sent.
    filled: usize,
    sent: usize,
    /// The start of the body is not in the stage any more.
    passed: bool,
}

impl Source {
    pub(super) fn new(reader: Reader, length: Option<u64>) -> Source {
        Source {
            reader,
            length,
            measured: false,
            read: 0,
            ended: false,
            stage: Vec::new(),
            filled: 0,
            sent: 0,
            passed: false,
        }
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(super) fn declare(&mut self, length: u64) {
        self.length.get_or_insert(length);
    }

    pub(super) fn try_clone(&self) -> Option<Source> {
        match &self.reader {
            Reader::Factory { make, .. } => {
                Some(Source::new(Reader::Factory { make: make.clone(), made: None }, self.length))
            }
            _ => None,
        }
    }

    pub(super) fn prepare(&mut self) -> Result<()> {
        let Reader::Seekable { reader, start: start @ None } = &mut self.reader else { return Ok(()) };
        let mut measure = || {
            let here = reader.stream_position()?;
            let end = reader.seek(SeekFrom::End(0))?;
            reader.seek(SeekFrom::Start(here))?;
            Ok((here, end.saturating_sub(here)))
        };
        let (here, length) =
            measure().map_err(|error: io::Error| Error::new(ErrorKind::BodyRead, Phase::Prepare).with_source(error))?;
        *start = Some(here);
        (self.length, self.measured) = (Some(length), true);
        Ok(())
    }

    pub(super) fn can_rewind(&self) -> bool {
        !self.passed || !matches!(self.reader, Reader::Once(_))
    }

    pub(super) fn rewind(&mut self) -> io::Result<()> {
        if self.passed {
            match &mut self.reader {
                Reader::Once(_) => return Err(io::Error::other("the reader gave its bytes once, and has no others")),
                Reader::Seekable { reader, start } => drop(reader.seek(SeekFrom::Start(start.unwrap_or_default()))?),
                Reader::Factory { made, .. } => *made = None,
            }
            (self.passed, self.ended, self.read, self.filled) = (false, false, 0, 0);
        }
        self.sent = 0;
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        self.ended && self.sent == self.filled
    }

    /// What is to be sent next, which is read if all that was read has been sent. Empty at the end only.
    pub(super) fn piece(&mut self) -> Result<&[u8]> {
        if self.sent == self.filled && !self.ended {
            match self.length {
                Some(length) => self.read_exactly(length)?,
                None => self.read_chunk()?,
            }
        }
        Ok(&self.stage[self.sent..self.filled])
    }

    pub(super) fn advance(&mut self, sent: usize) {
        self.sent = (self.sent + sent).min(self.filled);
    }

    /// Makes room behind what is filled: for `left` bytes, if it is known that no more follow.
    fn make_room(&mut self, left: Option<u64>) {
        let left = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        if self.stage.is_empty() {
            // Zeroed once, then only overwritten.
            self.stage = vec![0; left.min(STAGE)];
        } else if self.stage.len() - self.filled < left.min(LEAST_ROOM) {
            (self.filled, self.sent, self.passed) = (0, 0, true);
        }
    }

    fn read_exactly(&mut self, length: u64) -> Result<()> {
        let left = length - self.read;
        self.make_room(Some(left));
        let room = &mut self.stage[self.filled..];
        let most = room.len().min(PIECE).min(usize::try_from(left).unwrap_or(usize::MAX));
        let len = if most == 0 { 0 } else { self.reader.read(&mut room[..most]).map_err(unreadable)? };
        self.read += len as u64;
        if (len as u64) < left {
            self.filled += len;
            return if len == 0 { Err(mislength(length, self.read)) } else { Ok(()) };
        }
        // The server would take a body that goes on for a whole one; so this is asked before it has the last piece.
        let more = if self.measured { 0 } else { self.reader.read(&mut [0]).map_err(unreadable)? };
        match more {
            0 => {
                self.filled += len;
                self.ended = true;
                Ok(())
            }
            _ => Err(mislength(length, self.read + more as u64)),
        }
    }

    fn read_chunk(&mut self) -> Result<()> {
        self.make_room(None);
        let room = &mut self.stage[self.filled..];
        let most = (room.len() - BEFORE - BEHIND - LAST_CHUNK.len()).min(PIECE);
        let len = self.reader.read(&mut room[BEFORE..BEFORE + most]).map_err(unreadable)?;
        self.read += len as u64;
        if len == 0 {
            room[..LAST_CHUNK.len()].copy_from_slice(LAST_CHUNK);
            self.filled += LAST_CHUNK.len();
            self.ended = true;
            return Ok(());
        }
        let size = write_size(room, len);
        // A whole piece needs all the room for its size; others move up to theirs.
        if size < BEFORE {
            room.copy_within(BEFORE..BEFORE + len, size);
        }
        room[size + len..][..BEHIND].copy_from_slice(b"\r\n");
        self.filled += size + len + BEHIND;
        Ok(())
    }
}

/// Writes the size line of a chunk of at most a piece, and says how long it is.
fn write_size(out: &mut [u8], len: usize) -> usize {
    let digits = (len.max(1).ilog2() / 4 + 1) as usize;
    for (at, digit) in out[..digits].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[len >> (4 * (digits - 1 - at)) & 0xF];
    }
    out[digits..digits + 2].copy_from_slice(b"\r\n");
    digits + 2
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.reader {
            Reader::Once(_) => "reader",
            Reader::Seekable { .. } => "seekable reader",
            Reader::Factory { .. } => "factory of readers",
        };
        match self.length {
            Some(length) => write!(f, "{kind} of {length} bytes"),
            None => f.write_str(kind),
        }
    }
}

fn unreadable(error: io::Error) -> Error {
    Error::new(ErrorKind::BodyRead, Phase::Send).with_source(error)
}

fn mislength(declared: u64, read: u64) -> Error {
    Error::new(ErrorKind::BodyLength { declared, read }, Phase::Send)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::body::{Body, Extent};

    /// Gives its bytes in pieces of these sizes, again and again, and then fails if it is to.
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

    /// All that goes out, taken at most `step` bytes at a time.
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

    /// What chunks carry, by a decoder as simple as it can be.
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

    #[test]
    fn sizes_of_chunks() {
        for len in [0, 1, 9, 10, 15, 16, 255, 256, 4095, 4096, 65_535, 65_536, PIECE] {
            let mut out = [0; BEFORE];
            let written = write_size(&mut out, len);
            assert_eq!(out[..written], *format!("{len:x}\r\n").as_bytes());
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

    /// Claims to have read more than there was room for.
    struct Liar;

    impl Read for Liar {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            Ok(buf.len() + 1)
        }
    }

    /// Is interrupted by a signal, gives one byte then, and ends.
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
            // Begun, stopped anywhere, and begun again.
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
