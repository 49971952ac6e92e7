//! The coding `br` (RFC 7932).

use std::fmt;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::{Corrupt, Progress, Stage, Surplus};

/// The decoder's window grows with the data, up to the 16 MiB of the RFC; the larger ones of a later draft are refused.
struct Brotli {
    state: Box<State>,
    ended: bool,
    surplus: Surplus,
}

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

pub(super) fn stage() -> Box<dyn Stage> {
    let alloc = StandardAlloc::default;
    let state = Box::new(BrotliState::new_strict(alloc(), alloc(), alloc()));
    Box::new(Brotli { state, ended: false, surplus: Surplus::default() })
}

impl Stage for Brotli {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        let Progress { mut consumed, mut produced, mut fault } = Progress::default();
        if !self.ended {
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
            self.ended = matches!(result, BrotliResult::ResultSuccess);
            fault = matches!(result, BrotliResult::ResultFailure).then_some(Corrupt("the brotli data is broken"));
        }
        if self.ended {
            fault = self.surplus.pass(input.len() - consumed);
            consumed = input.len();
        }
        Progress { consumed, produced, fault }
    }

    fn is_whole(&self) -> bool {
        self.ended
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
