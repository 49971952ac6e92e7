//! The coding `deflate`, and what gzip has in common with it.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Corrupt, End, Progress, Stage, Surplus};

/// How a flush ends: the length of an empty stored block and its complement, on a byte boundary (RFC 1951, section
/// 3.2.4). zlib's `Z_SYNC_FLUSH` and `Z_FULL_FLUSH` write it, and so do Go and Java.
const FLUSH_MARKER: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// A last block without data, as it stands on a byte boundary.
const LAST_BLOCK: [u8; 5] = [0x01, 0x00, 0x00, 0xFF, 0xFF];

/// A decoder of bare DEFLATE data (RFC 1951) that says where the data ends.
#[derive(Debug)]
pub(super) struct Inflate {
    decoder: Decompress,
    /// The last bytes that were taken.
    tail: [u8; FLUSH_MARKER.len()],
}

impl Inflate {
    pub(super) fn new() -> Inflate {
        Inflate { decoder: Decompress::new(false), tail: [0; FLUSH_MARKER.len()] }
    }

    /// Begins with another stream.
    pub(super) fn restart(&mut self) {
        self.decoder.reset(false);
        self.tail = [0; FLUSH_MARKER.len()];
    }

    /// As [`Stage::step`]; and whether the stream has ended.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> (Progress, bool) {
        let (taken, given) = (self.decoder.total_in(), self.decoder.total_out());
        let result = self.decoder.decompress(input, output, FlushDecompress::None);
        let progress = Progress {
            // Both are at most the length of a slice.
            consumed: (self.decoder.total_in() - taken) as usize,
            produced: (self.decoder.total_out() - given) as usize,
            fault: result.is_err().then_some(Corrupt("the deflate data is broken")),
        };
        self.remember(input.get(..progress.consumed).unwrap_or_default());
        (progress, matches!(result, Ok(Status::StreamEnd)))
    }

    fn remember(&mut self, taken: &[u8]) {
        let new = &taken[taken.len().saturating_sub(self.tail.len())..];
        self.tail.rotate_left(new.len());
        let kept = self.tail.len() - new.len();
        self.tail[kept..].copy_from_slice(new);
    }

    /// Returns whether the data ends with a flush. Nothing can be decoded afterwards.
    ///
    /// The marker could also be data of a stored block, or a part of codes. Therefore a last block is tried: at the end
    /// of a block, and hardly anywhere else, it ends the stream and gives nothing.
    pub(super) fn is_flushed(&mut self) -> bool {
        if self.tail != FLUSH_MARKER {
            return false;
        }
        let (progress, ended) = self.step(&LAST_BLOCK, &mut [0; 8]);
        ended && (progress.consumed, progress.produced) == (LAST_BLOCK.len(), 0)
    }
}

/// The checksum of the zlib format (RFC 1950, section 8.2).
#[derive(Debug)]
struct Adler {
    sum: u32,
    sum_of_sums: u32,
}

impl Adler {
    const BASE: u32 = 65_521;

    /// The most bytes after which the sums still fit in 32 bits.
    const PIECE: usize = 5552;

    const NEW: Adler = Adler { sum: 1, sum_of_sums: 0 };

    fn update(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(Self::PIECE) {
            for &byte in piece {
                self.sum += u32::from(byte);
                self.sum_of_sums += self.sum;
            }
            self.sum %= Self::BASE;
            self.sum_of_sums %= Self::BASE;
        }
    }

    fn bytes(&self) -> [u8; 4] {
        (self.sum_of_sums << 16 | self.sum).to_be_bytes()
    }
}

/// `deflate` is the zlib format (RFC 9110, section 8.4.1.2); some servers send bare DEFLATE data under that name.
///
/// The format around the data is read here, because only bare data says where its blocks end.
#[derive(Debug)]
struct Deflate {
    inflate: Inflate,
    part: Part,
    /// The first byte, where the data is in the zlib format.
    zlib: Option<u8>,
    adler: Adler,
    /// Bytes of the trailer that came.
    trailer: usize,
    surplus: Surplus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Start,
    /// The second byte of a zlib header.
    Flags,
    Data,
    /// The checksum of the zlib format.
    Trailer,
    End,
}

pub(super) fn stage() -> Box<dyn Stage> {
    Box::new(Deflate {
        inflate: Inflate::new(),
        part: Part::Start,
        zlib: None,
        adler: Adler::NEW,
        trailer: 0,
        surplus: Surplus::default(),
    })
}

impl Deflate {
    /// Takes what it can of what stands around the data, and says how much that was.
    fn around(&mut self, input: &[u8]) -> Result<usize, Corrupt> {
        match (self.part, input.first()) {
            // In the zlib format the low half of the first byte is 8. Bare data that begins so would be a stored block
            // with a bit set in its padding, which no encoder writes.
            (Part::Start, Some(first)) => {
                self.zlib = (first & 0x0F == 8).then_some(*first);
                self.part = if self.zlib.is_some() { Part::Flags } else { Part::Data };
                self.inflate.restart();
                Ok(usize::from(self.zlib.is_some()))
            }
            // RFC 1950, section 2.2: the check, the window, and no dictionary, which nobody has here.
            (Part::Flags, Some(&flags)) => {
                let method = self.zlib.unwrap_or_default();
                if !u16::from_be_bytes([method, flags]).is_multiple_of(31) || method >> 4 > 7 || flags & 0x20 != 0 {
                    return Err(Corrupt("no zlib data"));
                }
                self.part = Part::Data;
                Ok(1)
            }
            (Part::Trailer, Some(byte)) => {
                if self.adler.bytes().get(self.trailer) != Some(byte) {
                    return Err(Corrupt("the checksum of the zlib data differs"));
                }
                self.trailer += 1;
                if self.trailer == self.adler.bytes().len() {
                    self.part = Part::End;
                }
                Ok(1)
            }
            // Bytes after the end are passed over, within bounds: the data was whole.
            _ => self.surplus.pass(input.len()).map_or(Ok(input.len()), Err),
        }
    }
}

impl Stage for Deflate {
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
                if self.zlib.is_some() {
                    self.adler.update(&room[..progress.produced]);
                }
                all.consumed += progress.consumed;
                all.produced += progress.produced;
                if !ended {
                    all.fault = progress.fault;
                    break;
                }
                self.part = if self.zlib.is_some() { Part::Trailer } else { Part::End };
                continue;
            }
            match self.around(rest) {
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
            // The bytes that came were compared.
            Part::Trailer => End::AfterBlock,
            Part::Data if self.inflate.is_flushed() => End::AfterBlock,
            _ => End::Inside,
        }
    }

    fn cut(&self) -> &'static str {
        "the deflate data is cut"
    }

    fn restart(&mut self) -> bool {
        (self.part, self.zlib, self.trailer) = (Part::Start, None, 0);
        self.adler = Adler::NEW;
        self.surplus = Surplus::default();
        true
    }
}
