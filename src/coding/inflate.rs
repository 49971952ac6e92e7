//! The coding `deflate`, and what gzip has in common with it.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Corrupt, Progress, Stage, Surplus};

/// A DEFLATE decoder (RFC 1951) that says where the data ends.
#[derive(Debug)]
pub(super) struct Inflate(Decompress);

impl Inflate {
    pub(super) fn new() -> Inflate {
        Inflate(Decompress::new(false))
    }

    /// Begins with another stream: within the zlib format (RFC 1950), or bare.
    pub(super) fn restart(&mut self, zlib: bool) {
        self.0.reset(zlib);
    }

    /// As [`Stage::step`]; and whether the stream has ended.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> (Progress, bool) {
        let (taken, given) = (self.0.total_in(), self.0.total_out());
        let result = self.0.decompress(input, output, FlushDecompress::None);
        let progress = Progress {
            // Both are at most the length of a slice.
            consumed: (self.0.total_in() - taken) as usize,
            produced: (self.0.total_out() - given) as usize,
            fault: result.is_err().then_some(Corrupt("the deflate data is broken")),
        };
        (progress, matches!(result, Ok(Status::StreamEnd)))
    }
}

/// `deflate` is the zlib format (RFC 9110, section 8.4.1.2); some servers send bare DEFLATE data under that name.
#[derive(Debug)]
struct Deflate {
    inflate: Inflate,
    part: Part,
    surplus: Surplus,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Start,
    Data,
    End,
}

pub(super) fn stage() -> Box<dyn Stage> {
    Box::new(Deflate { inflate: Inflate::new(), part: Part::Start, surplus: Surplus::default() })
}

impl Stage for Deflate {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        if self.part == Part::Start {
            let Some(first) = input.first() else { return Progress::default() };
            // In the zlib format the low half of the first byte is 8. Bare data that begins so would be a stored block
            // with a bit set in its padding, which no encoder writes.
            self.inflate.restart(first & 0x0F == 8);
            self.part = Part::Data;
        }
        let mut progress = Progress::default();
        if self.part == Part::Data {
            let ended;
            (progress, ended) = self.inflate.step(input, output);
            if !ended {
                return progress;
            }
            self.part = Part::End;
        }
        // What stands behind the end is passed over, within bounds: the data was whole.
        let fault = self.surplus.pass(input.len() - progress.consumed);
        Progress { consumed: input.len(), fault, ..progress }
    }

    fn is_whole(&self) -> bool {
        self.part == Part::End
    }

    fn cut(&self) -> &'static str {
        "the deflate data is cut"
    }

    fn restart(&mut self) -> bool {
        self.part = Part::Start;
        self.surplus = Surplus::default();
        true
    }
}
