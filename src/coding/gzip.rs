//! The coding `gzip` (RFC 1952).
//!
//! A body may have any number of members. They are decoded one after the other, and the checksum and length of each are
//! checked. Bytes after the last member that do not begin a member are skipped, as gzip(1) does: servers pad, and the
//! data has proved whole. More than 64 KiB are no padding, and an error.

use flate2::Crc;

use super::inflate::{Format, Formatted, Place};
use super::stage::{Corrupt, End, Stage};

const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Length of the fixed part of a header.
const FIXED: usize = 10;

const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

#[derive(Debug)]
struct Gzip {
    part: Part,
    /// The parts of the header that are still to come.
    flags: u8,
    /// The checksum of the header, and after it that of the data.
    crc: Crc,
    /// The bytes of a number or of a fixed part that have come.
    held: [u8; FIXED],
    len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The first ten bytes of a header.
    Fixed,
    ExtraLength,
    Extra(usize),
    /// A name or a comment, with the zero byte that ends it.
    Text,
    HeaderCrc,
    Data,
    /// The checksum and the length.
    Trailer,
    /// A member has ended.
    Between,
    /// The coded data has ended.
    End,
}

pub(super) fn stage() -> Box<dyn Stage> {
    Box::new(Formatted::new(Gzip { part: Part::Fixed, flags: 0, crc: Crc::new(), held: [0; FIXED], len: 0 }))
}

impl Gzip {
    /// Keeps bytes in `held` until there are `want`. Returns how many it took, and whether all are there.
    fn hold(&mut self, input: &[u8], want: usize) -> (usize, bool) {
        let len = input.len().min(want.saturating_sub(self.len));
        if let (Some(to), Some(from)) = (self.held.get_mut(self.len..self.len + len), input.get(..len)) {
            to.copy_from_slice(from);
        }
        self.len += len;
        (len, self.len == want)
    }

    fn number(&self, at: usize) -> u32 {
        self.held.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    fn short_number(&self) -> u16 {
        u16::from_le_bytes([self.held[0], self.held[1]])
    }

    /// Takes bytes of one part of the header, and returns how many.
    fn header(&mut self, input: &[u8]) -> Result<usize, Corrupt> {
        let (taken, done) = match self.part {
            Part::Fixed => self.hold(input, FIXED),
            Part::ExtraLength | Part::HeaderCrc => self.hold(input, 2),
            Part::Extra(left) => {
                let len = input.len().min(left);
                self.part = Part::Extra(left - len);
                (len, len == left)
            }
            _ => match memchr::memchr(0, input) {
                Some(at) => (at + 1, true),
                None => (input.len(), false),
            },
        };
        if self.part != Part::HeaderCrc {
            self.crc.update(&input[..taken]);
        }
        if done {
            self.end_header_part()?;
        }
        Ok(taken)
    }

    fn end_header_part(&mut self) -> Result<(), Corrupt> {
        match self.part {
            Part::Fixed => {
                let [first, second, method, flags, ..] = self.held;
                if [first, second] != MAGIC || method != 8 || flags & RESERVED != 0 {
                    return Err(Corrupt("it is not gzip data"));
                }
                self.flags = flags;
            }
            Part::ExtraLength if self.short_number() > 0 => {
                self.part = Part::Extra(self.short_number().into());
                return Ok(());
            }
            Part::HeaderCrc if self.short_number() != self.crc.sum() as u16 => {
                return Err(Corrupt("the checksum of a gzip header differs"));
            }
            _ => {}
        }
        self.len = 0;
        self.part = self.next_part();
        if self.part == Part::Data {
            self.crc.reset();
        }
        Ok(())
    }

    /// Returns the next part of the header whose flag is set. The parts come in this order.
    fn next_part(&mut self) -> Part {
        let parts =
            [(EXTRA, Part::ExtraLength), (NAME, Part::Text), (COMMENT, Part::Text), (HEADER_CRC, Part::HeaderCrc)];
        let next = parts.into_iter().find(|(flag, _)| self.flags & flag != 0);
        self.flags &= !next.map_or(0, |(flag, _)| flag);
        next.map_or(Part::Data, |(_, part)| part)
    }

    /// Looks for another member, and returns how many bytes it took.
    fn between(&mut self, input: &[u8]) -> usize {
        let (taken, two) = self.hold(input, MAGIC.len());
        if self.held[0] != MAGIC[0] || (two && self.held[..2] != MAGIC) {
            self.part = Part::End;
            return 0;
        }
        if two {
            self.crc.reset();
            self.crc.update(&MAGIC);
            self.part = Part::Fixed;
        }
        taken
    }

    /// Returns whether the bytes of the trailer that have come are right.
    fn trailer_fits(&self) -> bool {
        let [crc, len] = [self.crc.sum(), self.crc.amount()].map(u32::to_le_bytes);
        [crc, len].concat().starts_with(&self.held[..self.len.min(8)])
    }

    fn trailer(&mut self, input: &[u8]) -> Result<usize, Corrupt> {
        let (taken, done) = self.hold(input, 8);
        if done {
            if self.number(0) != self.crc.sum() {
                return Err(Corrupt("the checksum of the gzip data differs"));
            }
            if self.number(4) != self.crc.amount() {
                return Err(Corrupt("the length of the gzip data differs"));
            }
            (self.part, self.len) = (Part::Between, 0);
        }
        Ok(taken)
    }
}

impl Format for Gzip {
    fn place(&self) -> Place {
        match self.part {
            Part::Data => Place::Data,
            Part::End => Place::After,
            _ => Place::Around,
        }
    }

    fn around(&mut self, input: &[u8]) -> Result<usize, Corrupt> {
        match self.part {
            Part::Trailer => self.trailer(input),
            Part::Between => Ok(self.between(input)),
            _ => self.header(input),
        }
    }

    fn decoded(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
    }

    fn data_ended(&mut self) {
        self.part = Part::Trailer;
    }

    fn end(&self) -> End {
        match self.part {
            Part::Between if self.len == 0 => End::Whole,
            Part::Trailer if self.trailer_fits() => End::AfterBlock,
            // The first byte of another member is a member that was cut, and so is a part of a header.
            _ => End::Inside,
        }
    }

    fn cut(&self) -> &'static str {
        "the gzip data is cut"
    }

    fn restart(&mut self) {
        (self.part, self.len) = (Part::Fixed, 0);
        self.crc.reset();
    }
}
