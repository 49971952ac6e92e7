//! A decoder with its input buffer, and a store of decoders for later bodies.

use super::chain::{Decoder, Need, Step};
use super::codings::Codings;
use super::stage::{Corrupt, Ending};
use crate::sync::Mutex;

/// Most coded bytes that are received at once.
const INPUT: usize = 32 * 1024;

/// A decoder, and the coded bytes that it has not taken yet.
#[derive(Debug)]
pub(crate) struct Pump {
    codings: Codings,
    decoder: Decoder,
    input: Vec<u8>,
    start: usize,
    end: usize,
    next: Need,
}

impl Pump {
    fn new(codings: Codings) -> Pump {
        let decoder = Decoder::new(&codings);
        Pump { codings, decoder, input: vec![0; INPUT], start: 0, end: 0, next: Need::Input }
    }

    /// Returns room for coded bytes if they are wanted. The caller reports their number by
    /// [`received`](Self::received).
    pub(crate) fn room(&mut self) -> Option<&mut [u8]> {
        (self.start == self.end && self.next == Need::Input).then_some(&mut self.input[..])
    }

    pub(crate) fn received(&mut self, len: usize) {
        (self.start, self.end) = (0, len.min(self.input.len()));
    }

    /// Decodes into `output`. `ending` says whether more coded bytes will come.
    pub(crate) fn decode(&mut self, ending: Ending, output: &mut [u8]) -> Result<Step, Corrupt> {
        let input = self.input.get(self.start..self.end).unwrap_or_default();
        let step = self.decoder.decode(input, ending, output)?;
        self.start += step.consumed;
        self.next = step.next;
        Ok(step)
    }

    /// Returns whether the body was accepted although the end of a coding is missing.
    pub(crate) fn is_short(&self) -> bool {
        self.decoder.is_short()
    }
}

/// Pumps that no body uses now and that can be used again.
#[derive(Debug, Default)]
#[allow(clippy::vec_box, reason = "as responses hold them: nothing is moved about")]
pub(crate) struct Spares(Mutex<Vec<Box<Pump>>>);

impl Spares {
    /// As many pumps as threads are commonly busy at once. They are about a megabyte together.
    const KEPT: usize = 12;

    pub(crate) fn take(&self, codings: Codings) -> Box<Pump> {
        let mut kept = self.0.lock();
        let place = kept.iter().rposition(|pump| pump.codings == codings);
        let kept = place.map(|place| kept.swap_remove(place));
        kept.unwrap_or_else(|| Box::new(Pump::new(codings)))
    }

    pub(crate) fn put(&self, mut pump: Box<Pump>) {
        if !pump.decoder.restart() {
            return;
        }
        (pump.start, pump.end, pump.next) = (0, 0, Need::Input);
        let mut kept = self.0.lock();
        if kept.len() < Self::KEPT {
            kept.push(pump);
        }
    }
}
