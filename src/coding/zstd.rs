//! The coding `zstd` (RFC 8878).

use std::fmt;

use ::zstd::stream::raw::{DParameter, Decoder, Operation};

use super::stage::{Corrupt, End, Progress, Stage};

/// The largest window is 8 MiB: no frame of a body may need more (RFC 9659).
const WINDOW_LOG: u32 = 23;

/// Decodes frames one after the other, some of which may be skippable. Nothing else may follow, because the format has
/// a padding of its own.
struct Zstd {
    /// `None` if there was no memory for a decoder.
    decoder: Option<Decoder<'static>>,
    /// Bytes that the decoder asked for last; 0 at the end of a frame.
    wanted: Option<usize>,
    /// Whether some data of this frame has been decoded.
    given: bool,
}

/// Length of the header of a block (RFC 8878, section 3.1.1.2).
const BLOCK_HEADER: usize = 3;

/// Length of the checksum of a frame (section 3.1.1).
const CHECKSUM: usize = 4;

pub(super) fn stage() -> Box<dyn Stage> {
    Box::new(Zstd { decoder: decoder().ok(), wanted: None, given: false })
}

fn decoder() -> std::io::Result<Decoder<'static>> {
    let mut decoder = Decoder::new()?;
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
    Ok(decoder)
}

impl Stage for Zstd {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        let mut all = Progress::default();
        let Some(decoder) = &mut self.decoder else {
            return Progress { fault: Some(Corrupt("no memory for zstd data")), ..all };
        };
        // The decoder stops after each frame.
        while all.produced < output.len() {
            let Ok(status) = decoder.run_on_buffers(&input[all.consumed..], &mut output[all.produced..]) else {
                all.fault = Some(Corrupt("the zstd data is broken"));
                break;
            };
            // Without work the decoder only expects another frame.
            if (status.bytes_read, status.bytes_written) == (0, 0) {
                break;
            }
            self.wanted = Some(status.remaining);
            // The state of a frame that has ended does not count for the next.
            self.given = status.remaining > 0 && (self.given || status.bytes_written > 0);
            all.consumed += status.bytes_read;
            all.produced += status.bytes_written;
            if all.consumed == input.len() {
                break;
            }
        }
        all
    }

    /// The decoder only says how many bytes it wants. The number is the same for a block's header, a checksum and the end
    /// of some blocks. Zeros tell them apart: they are the header of an empty block, and a wrong checksum.
    fn end(&mut self) -> End {
        let (Some(decoder), Some(wanted)) = (&mut self.decoder, self.wanted) else { return End::Inside };
        if wanted == 0 {
            return End::Whole;
        }
        if !self.given || wanted > CHECKSUM {
            return End::Inside;
        }
        for fed in 1..=wanted {
            match decoder.run_on_buffers(&[0], &mut [0; 8]) {
                // This is how zstd words the error `checksum_wrong`.
                Err(error) if error.to_string().contains("checksum") => return End::AfterBlock,
                Ok(status) if status.bytes_read == 1 && status.bytes_written == 0 => {
                    if (wanted, fed, status.remaining) == (BLOCK_HEADER, BLOCK_HEADER, BLOCK_HEADER) {
                        return End::AfterBlock;
                    }
                }
                _ => return End::Inside,
            }
        }
        End::Inside
    }

    fn cut(&self) -> &'static str {
        "the zstd data is cut"
    }
}

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zstd").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}
