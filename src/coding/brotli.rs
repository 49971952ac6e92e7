//! The coding `br` (RFC 7932).

use std::fmt;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::stage::{Corrupt, End, Progress, Stage, Surplus};

/// The decoder's window grows with the data, up to the 16 MiB of the RFC; the larger ones of a later draft are refused.
struct Brotli {
    state: Box<State>,
    ended: bool,
    /// Some data has been decoded.
    given: bool,
    surplus: Surplus,
}

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

pub(super) fn stage() -> Box<dyn Stage> {
    let alloc = StandardAlloc::default;
    let state = Box::new(BrotliState::new_strict(alloc(), alloc(), alloc()));
    Box::new(Brotli { state, ended: false, given: false, surplus: Surplus::default() })
}

/// A meta-block with no metadata. Encoders fill the last byte of a flush with it (RFC 7932, section 9.2).
const EMPTY_BLOCK: u8 = 0b0000_0110;

/// An empty last meta-block.
const LAST_BLOCK: u8 = 0b0000_0011;

impl Brotli {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        let Progress { mut consumed, mut produced, .. } = Progress::default();
        let (mut input_left, mut output_left, mut total) = (input.len(), output.len(), 0);
        let result = BrotliDecompressStream(
            &mut input_left,
            &mut consumed,
            input,
            &mut output_left,
            &mut produced,
            output,
            &mut total,
            &mut self.state,
        );
        self.given |= produced > 0;
        self.ended = matches!(result, BrotliResult::ResultSuccess);
        let fault = matches!(result, BrotliResult::ResultFailure).then_some(Corrupt("the brotli data is broken"));
        Progress { consumed, produced, fault }
    }
}

impl Stage for Brotli {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        let mut progress = Progress::default();
        if !self.ended {
            progress = self.run(input, output);
        }
        if self.ended {
            progress.fault = self.surplus.pass(input.len() - progress.consumed);
            progress.consumed = input.len();
        }
        progress
    }

    fn end(&mut self) -> End {
        if self.ended {
            return End::Whole;
        }
        // The decoder does not say where it is, so two blocks are tried. Between two meta-blocks, on a byte boundary,
        // an empty meta-block changes nothing, and an empty last one ends the data.
        let mut takes = |block: u8| {
            let Progress { consumed, produced, fault } = self.run(&[block], &mut [0; 8]);
            ((consumed, produced, fault) == (1, 0, None)).then_some(self.ended)
        };
        let is_between = takes(EMPTY_BLOCK) == Some(false) && takes(LAST_BLOCK) == Some(true);
        if is_between && self.given { End::AfterBlock } else { End::Inside }
    }

    fn cut(&self) -> &'static str {
        "the brotli data is cut"
    }
}

impl fmt::Debug for Brotli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brotli").field("ended", &self.ended).finish_non_exhaustive()
    }
}
