//! The coding `gzip` (RFC 1952).
//!
//! A body may have any number of members, which are decoded one behind the other; of each the checksum and the length
//! are checked. What stands behind the last member and does not begin as one is passed over, as gzip(1) does: servers
//! pad, and what was decoded has proved whole. It is too long for padding at 64 KiB.

use flate2::Crc;

use super::inflate::Inflate;
use super::{Corrupt, End, Progress, Stage, Surplus};

const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Of the fixed part of a header.
const FIXED: usize = 10;

const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

#[derive(Debug)]
struct Gzip {
    part: Part,
    /// Of the header's parts, those still to come.
    flags: u8,
    inflate: Inflate,
    /// Of the header, then of the data.
    crc: Crc,
    /// A number or a fixed part, as far as it came.
    held: [u8; FIXED],
    len: usize,
    surplus: Surplus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The first ten bytes of a header.
    Fixed,
    ExtraLength,
    Extra(usize),
    /// Up to and with a zero byte; a name, then a comment.
    Text,
    HeaderCrc,
    Data,
    /// Checksum and length.
    Trailer,
    /// A member has ended.
    Between,
    /// The data has, too.
    End,
}

pub(super) fn stage() -> Box<dyn Stage> {
    Box::new(Gzip {
        part: Part::Fixed,
        flags: 0,
        inflate: Inflate::new(),
        crc: Crc::new(),
        held: [0; FIXED],
        len: 0,
        surplus: Surplus::default(),
    })
}

impl Gzip {
    /// Puts bytes aside until there are as many as `held` is asked for.
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

    /// Takes what it can of a part of the header, and says how much that was.
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
                    return Err(Corrupt("no gzip data"));
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
            self.inflate.restart();
            self.crc.reset();
        }
        Ok(())
    }

    /// The parts come in this order, each where its flag says so.
    fn next_part(&mut self) -> Part {
        let parts =
            [(EXTRA, Part::ExtraLength), (NAME, Part::Text), (COMMENT, Part::Text), (HEADER_CRC, Part::HeaderCrc)];
        let next = parts.into_iter().find(|(flag, _)| self.flags & flag != 0);
        self.flags &= !next.map_or(0, |(flag, _)| flag);
        next.map_or(Part::Data, |(_, part)| part)
    }

    /// Looks for another member.
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

    /// Whether what came of the trailer is the front of the right one.
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

impl Stage for Gzip {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        let mut all = Progress::default();
        // The end of the data shows without input, once there is room.
        while all.consumed < input.len() || self.part == Part::Data {
            let rest = &input[all.consumed..];
            if self.part == Part::Data {
                let room = &mut output[all.produced..];
                if room.is_empty() {
                    break;
                }
                let (progress, ended) = self.inflate.step(rest, room);
                self.crc.update(&room[..progress.produced]);
                all.consumed += progress.consumed;
                all.produced += progress.produced;
                if !ended {
                    all.fault = progress.fault;
                    break;
                }
                self.part = Part::Trailer;
                continue;
            }
            let taken = match self.part {
                Part::Trailer => self.trailer(rest),
                Part::Between => Ok(self.between(rest)),
                Part::End => self.surplus.pass(rest.len()).map_or(Ok(rest.len()), Err),
                _ => self.header(rest),
            };
            match taken {
                Ok(taken) => all.consumed += taken,
                Err(fault) => {
                    all.fault = Some(fault);
                    break;
                }
            }
        }
        all
    }

    fn end(&mut self) -> End {
        match self.part {
            Part::End => End::Whole,
            Part::Between if self.len == 0 => End::Whole,
            Part::Trailer if self.trailer_fits() => End::AfterBlock,
            Part::Data if self.inflate.is_flushed() => End::AfterBlock,
            // Half a magic number is a member that was cut, and so is a part of a header.
            _ => End::Inside,
        }
    }

    fn cut(&self) -> &'static str {
        "the gzip data is cut"
    }

    fn restart(&mut self) -> bool {
        (self.part, self.len) = (Part::Fixed, 0);
        self.crc.reset();
        self.surplus = Surplus::default();
        true
    }
}
