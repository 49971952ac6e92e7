//! Bodies that are compressed while they are sent.

use std::io;

use flate2::{Compression, Crc, FlushCompress, Status};

use super::coding::Coding;
use super::input::{Composite, Input};
use crate::error::{Error, ErrorKind, Phase, Result};

/// Bytes of the input that are read at once.
const BLOCK: usize = 16 * 1024;

/// The header of gzip (RFC 1952, section 2.3). It has no name, no system and no time, so that it is the same each time.
const GZIP_HEAD: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];

pub(super) struct Encoded {
    input: Input,
    coding: Coding,
    deflate: flate2::Compress,
    /// The checksum of what was read, for the trailer of gzip.
    crc: Crc,
    block: Vec<u8>,
    /// The part of the block that is not compressed yet.
    left: (usize, usize),
    /// The input has ended.
    ended: bool,
    /// The compressor has given its last byte.
    finished: bool,
    /// The header, and later the trailer, and how much of it was given.
    frame: ([u8; 10], usize),
}

impl Encoded {
    pub(super) fn new(coding: Coding, input: Input) -> Encoded {
        Encoded {
            input,
            coding,
            deflate: flate2::Compress::new(Compression::default(), coding == Coding::Deflate),
            crc: Crc::new(),
            block: Vec::new(),
            left: (0, 0),
            ended: false,
            finished: false,
            frame: Encoded::front(coding),
        }
    }

    fn front(coding: Coding) -> ([u8; 10], usize) {
        let sent = if coding == Coding::Gzip { 0 } else { GZIP_HEAD.len() };
        (GZIP_HEAD, sent)
    }

    /// Returns all that follows.
    pub(super) fn rest(&mut self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        loop {
            let filled = out.len();
            out.resize(filled + BLOCK, 0);
            let len = self.read(&mut out[filled..])?;
            out.truncate(filled + len);
            if len == 0 {
                return Ok(out);
            }
        }
    }

    fn frame(&mut self, out: &mut [u8]) -> usize {
        let (bytes, sent) = &mut self.frame;
        let rest = &bytes[*sent..];
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        *sent += len;
        len
    }

    fn fill(&mut self) -> Result<()> {
        self.block.resize(BLOCK, 0);
        let len = self.input.pull(&mut self.block)?;
        self.crc.update(&self.block[..len]);
        self.left = (0, len);
        self.ended = len == 0;
        Ok(())
    }

    /// Compresses a part of the block: some input is taken, or some output is given.
    fn squeeze(&mut self, out: &mut [u8]) -> Result<usize> {
        let flush = if self.ended { FlushCompress::Finish } else { FlushCompress::None };
        let (taken, given) = (self.deflate.total_in(), self.deflate.total_out());
        let status = self.deflate.compress(&self.block[self.left.0..self.left.1], out, flush);
        let status = status.map_err(|error| Error::new(ErrorKind::BodyRead, Phase::Send).with_source(error))?;
        self.left.0 += (self.deflate.total_in() - taken) as usize;
        if status == Status::StreamEnd {
            self.finished = true;
            if self.coding == Coding::Gzip {
                // The trailer is the CRC and the length modulo 2^32, at the end of the ten bytes.
                self.frame.0[2..6].copy_from_slice(&self.crc.sum().to_le_bytes());
                self.frame.0[6..].copy_from_slice(&self.crc.amount().to_le_bytes());
                self.frame.1 = 2;
            }
        }
        Ok((self.deflate.total_out() - given) as usize)
    }
}

impl Composite for Encoded {
    fn prepare(&mut self) -> Result<Option<u64>> {
        self.input.prepare()?;
        Ok(None)
    }

    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            let framed = self.frame(out);
            if framed > 0 || self.finished || out.is_empty() {
                return Ok(framed);
            }
            if self.left.0 == self.left.1 && !self.ended {
                self.fill()?;
            }
            match self.squeeze(out)? {
                0 => {}
                len => return Ok(len),
            }
        }
    }

    fn can_restart(&self) -> bool {
        self.input.can_restart()
    }

    fn restart(&mut self) -> io::Result<()> {
        self.input.restart()?;
        self.deflate.reset();
        self.crc.reset();
        (self.left, self.ended, self.finished) = ((0, 0), false, false);
        self.frame = Encoded::front(self.coding);
        Ok(())
    }

    fn try_clone(&self) -> Option<Box<dyn Composite>> {
        Some(Box::new(Encoded::new(self.coding, self.input.try_clone()?)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use proptest::prelude::*;

    use super::*;
    use crate::body::{Body, Chunking, Extent};

    fn decode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap(),
            Coding::Deflate => flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut out).unwrap(),
        };
        out
    }

    /// Reads all, with this much room each time.
    fn read(encoded: &mut Encoded, room: usize) -> Vec<u8> {
        let (mut out, mut buf) = (Vec::new(), vec![0; room]);
        while let len @ 1.. = encoded.read(&mut buf).unwrap() {
            out.extend_from_slice(&buf[..len]);
        }
        assert_eq!(encoded.read(&mut buf).unwrap(), 0, "it stays at its end");
        out
    }

    #[test]
    fn what_is_known_of_a_compressed_body() {
        for coding in [Coding::Deflate, Coding::Gzip] {
            let text = "text ".repeat(1000);
            let bytes = Body::from(&text).compress(coding).unwrap();
            assert_eq!(bytes.coding(), Some(coding));
            let compressed = bytes.as_bytes().expect("bytes stay bytes");
            assert!(compressed.len() < 200 && decode(coding, compressed) == text.as_bytes());
            let reader = Body::reader(Cursor::new(text.clone())).compress(coding).unwrap();
            assert_eq!((reader.coding(), reader.extent()), (Some(coding), Extent::Unknown));
            assert!(reader.try_clone().is_none());
            let factory = Body::factory(|| Ok(Cursor::new("x")), None).compress(coding).unwrap();
            assert_eq!(factory.try_clone().unwrap().coding(), Some(coding));
            let mut seekable = Body::seekable(Cursor::new(text)).compress(coding).unwrap();
            seekable.prepare().unwrap();
            seekable.set_chunking(Chunking::Always).unwrap();
            assert_eq!(seekable.extent(), Extent::Unknown);
        }
    }

    #[test]
    fn errors_of_the_reader_are_its_own() {
        let short = Body::sized(Cursor::new("short"), 9).into_input().unwrap();
        let error = Encoded::new(Coding::Gzip, short).rest().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::BodyLength { declared: 9, read: 5 });
    }

    proptest! {
        #[test]
        fn whatever_the_room(
            bytes in proptest::collection::vec(any::<u8>(), 0..3000),
            copies in prop_oneof![Just(1_usize), Just(40)],
            room in prop_oneof![1_usize..30, Just(100_000)],
            gzip in any::<bool>(),
        ) {
            let bytes = bytes.repeat(copies);
            let coding = if gzip { Coding::Gzip } else { Coding::Deflate };
            let mut encoded = Encoded::new(coding, Body::from(bytes.clone()).into_input().unwrap());
            let first = read(&mut encoded, room);
            prop_assert_eq!(&decode(coding, &first), &bytes);
            encoded.restart().unwrap();
            prop_assert_eq!(&read(&mut encoded, 77), &first, "the same bytes again");
        }
    }
}
