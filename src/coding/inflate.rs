//! Bare DEFLATE data (RFC 1951), and the loop that decodes it inside a format.
//!
//! The formats of gzip and zlib are read here and not by the decoder, because only bare data says where its blocks end.

use flate2::{Decompress, FlushDecompress, Status};

use super::stage::{Corrupt, End, Progress, Stage, Surplus};

/// The end of a flush: the length of an empty stored block and its complement, on a byte boundary (RFC 1951, section
/// 3.2.4). zlib's `Z_SYNC_FLUSH` and `Z_FULL_FLUSH` write it, and so do Go and Java.
const FLUSH_MARKER: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// A last block without data, on a byte boundary.
const LAST_BLOCK: [u8; 5] = [0x01, 0x00, 0x00, 0xFF, 0xFF];

/// A decoder of bare DEFLATE data (RFC 1951) that says where the data ends.
#[derive(Debug)]
struct Inflate {
    decoder: Decompress,
    /// The last bytes that were taken.
    tail: [u8; FLUSH_MARKER.len()],
}

impl Inflate {
    fn new() -> Inflate {
        Inflate { decoder: Decompress::new(false), tail: [0; FLUSH_MARKER.len()] }
    }

    /// Starts with another stream.
    fn restart(&mut self) {
        self.decoder.reset(false);
        self.tail = [0; FLUSH_MARKER.len()];
    }

    /// Does what [`Stage::step`] does, and says whether the stream has ended.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> (Progress, bool) {
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
    fn is_flushed(&mut self) -> bool {
        if self.tail != FLUSH_MARKER {
            return false;
        }
        let (progress, ended) = self.step(&LAST_BLOCK, &mut [0; 8]);
        ended && (progress.consumed, progress.produced) == (LAST_BLOCK.len(), 0)
    }
}

/// The format around DEFLATE data: headers, checksums and lengths.
pub(super) trait Format: Send + Sync {
    /// Returns what the next byte belongs to.
    fn place(&self) -> Place;

    /// Takes a part of what stands around the data, and returns its length. It is called only at [`Place::Around`] and
    /// with at least one byte. A part may be empty only if the place changes.
    fn around(&mut self, input: &[u8]) -> Result<usize, Corrupt>;

    /// Adds decoded bytes to the checksum.
    fn decoded(&mut self, bytes: &[u8]);

    /// Goes on with what follows the data.
    fn data_ended(&mut self);

    /// Says where a body stands that ends outside the data.
    fn end(&self) -> End;

    /// Says that the data ended too early.
    fn cut(&self) -> &'static str;

    /// Starts again with another body.
    fn restart(&mut self);
}

/// The part of the format that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A header, a trailer, or what stands between two members.
    Around,
    /// The DEFLATE data.
    Data,
    /// Nothing: the coded data has ended.
    After,
}

/// A coding that is DEFLATE data inside a format.
#[derive(Debug)]
pub(super) struct Formatted<F> {
    format: F,
    inflate: Inflate,
    surplus: Surplus,
}

impl<F: Format> Formatted<F> {
    pub(super) fn new(format: F) -> Formatted<F> {
        Formatted { format, inflate: Inflate::new(), surplus: Surplus::default() }
    }

    /// Takes bytes that are not data, and returns how many.
    fn around(&mut self, input: &[u8]) -> Result<usize, Corrupt> {
        // Bytes after the end are skipped, within bounds: the data was whole.
        if self.format.place() == Place::After {
            return self.surplus.pass(input.len()).map_or(Ok(input.len()), Err);
        }
        let taken = self.format.around(input)?;
        if self.format.place() == Place::Data {
            self.inflate.restart();
        }
        Ok(taken)
    }
}

impl<F: Format> Stage for Formatted<F> {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        let mut all = Progress::default();
        // The end of the data can show without input, once there is room for output.
        while all.consumed < input.len() || self.format.place() == Place::Data {
            let rest = &input[all.consumed..];
            if self.format.place() != Place::Data {
                match self.around(rest) {
                    Ok(taken) => all.consumed += taken,
                    Err(fault) => {
                        all.fault = Some(fault);
                        break;
                    }
                }
                continue;
            }
            let room = &mut output[all.produced..];
            if room.is_empty() {
                break;
            }
            let (progress, has_ended) = self.inflate.step(rest, room);
            self.format.decoded(&room[..progress.produced]);
            all.consumed += progress.consumed;
            all.produced += progress.produced;
            if !has_ended {
                all.fault = progress.fault;
                break;
            }
            self.format.data_ended();
        }
        all
    }

    fn end(&mut self) -> End {
        match self.format.place() {
            Place::After => End::Whole,
            Place::Data if self.inflate.is_flushed() => End::AfterBlock,
            Place::Data => End::Inside,
            Place::Around => self.format.end(),
        }
    }

    fn cut(&self) -> &'static str {
        self.format.cut()
    }

    fn restart(&mut self) -> bool {
        self.format.restart();
        self.surplus = Surplus::default();
        true
    }
}
