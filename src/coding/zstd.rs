//! The coding `zstd` (RFC 8878).

use std::fmt;

use ::zstd::stream::raw::{DParameter, Decoder, Operation};

use super::{Corrupt, Progress, Stage};

/// 8 MiB: no frame of a body may need more (RFC 9659).
const WINDOW_LOG: u32 = 23;

/// Frames one behind the other, some of which may be there to be skipped. Nothing else may follow: the format has a
/// padding of its own.
struct Zstd {
    /// None where there was no memory for one.
    decoder: Option<Decoder<'static>>,
    /// What came so far ends with a frame.
    whole: bool,
}

pub(super) fn stage() -> Box<dyn Stage> {
    Box::new(Zstd { decoder: decoder().ok(), whole: false })
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
        // It stops behind each frame.
        while all.produced < output.len() {
            let Ok(status) = decoder.run_on_buffers(&input[all.consumed..], &mut output[all.produced..]) else {
                all.fault = Some(Corrupt("the zstd data is broken"));
                break;
            };
            // Without anything to do it looks forward to another frame.
            if (status.bytes_read, status.bytes_written) == (0, 0) {
                break;
            }
            self.whole = status.remaining == 0;
            all.consumed += status.bytes_read;
            all.produced += status.bytes_written;
            if all.consumed == input.len() {
                break;
            }
        }
        all
    }

    fn is_whole(&self) -> bool {
        self.whole
    }

    fn cut(&self) -> &'static str {
        "the zstd data is cut"
    }
}

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zstd").field("whole", &self.whole).finish_non_exhaustive()
    }
}
