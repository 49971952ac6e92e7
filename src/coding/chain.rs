//! One decoder for all codings of a body.

use std::fmt;

use super::codings::Codings;
use super::stage::{Corrupt, End, Ending, Progress, Stage};

/// Bytes between two codings. With four such pipes at most 64 KiB are decoded and not yet returned.
const PIPE: usize = 16 * 1024;

/// Rounds of one call. After them the caller checks its deadline, and calls again without new input.
const ROUNDS: usize = 64;

/// Bytes that may pass between two codings before any of them become body. Data that is coded twice is about as long
/// between the codings as before them; other data was made to keep the reader busy.
const ADVANCE: u64 = 4 * 1024 * 1024;

/// Bytes that may pass between two codings for each byte of the body.
const ADVANCE_PER_BYTE: u64 = 16;

/// Undoes all codings of a body. It holds no more than their windows and the pipes between them.
pub(crate) struct Decoder {
    links: Vec<Link>,
    /// Bytes of the body so far.
    produced: u64,
    fault: Option<Corrupt>,
    /// Whether a coding ended after a block, and was accepted.
    short: bool,
}

struct Link {
    coding: Coding,
    /// Bytes that it gave to the next coding; unused in the last link.
    pipe: Pipe,
}

struct Coding {
    stage: Box<dyn Stage>,
    /// The last step filled its room, so more output may follow without input.
    pending: bool,
    state: State,
    /// Whether it ended after a block, and was accepted.
    short: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Ended,
    Failed,
}

#[derive(Debug, Default)]
struct Pipe {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes that ever went in.
    total: u64,
}

impl Pipe {
    fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Returns room for more bytes. There is none until all bytes are taken.
    fn room(&mut self) -> &mut [u8] {
        if self.start < self.end {
            return &mut [];
        }
        self.bytes.resize(PIPE, 0);
        &mut self.bytes
    }

    fn filled_with(&mut self, len: usize) {
        if len > 0 {
            (self.start, self.end) = (0, len);
            self.total += len as u64;
        }
    }
}

/// The result of a call of [`Decoder::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) consumed: usize,
    pub(crate) produced: usize,
    pub(crate) next: Need,
}

/// The need of the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It needs more input, or the word that there is none.
    Input,
    /// It needs room only: more output may follow, with or without input.
    Output,
    /// It needs nothing: the body has ended.
    Done,
}

impl Decoder {
    pub(crate) fn new(codings: &Codings) -> Decoder {
        let link = |stage| Link { coding: Coding::new(stage), pipe: Pipe::default() };
        Decoder { links: codings.stages().map(link).collect(), produced: 0, fault: None, short: false }
    }

    /// Returns whether the body was accepted although the end of a coding is missing.
    pub(crate) fn is_short(&self) -> bool {
        self.short
    }

    /// Takes from `input`, and fills `output` as far as possible. `ending` says what follows the input.
    ///
    /// A fault is returned after all bytes before it, and again by every later call.
    pub(crate) fn decode(&mut self, input: &[u8], ending: Ending, output: &mut [u8]) -> Result<Step, Corrupt> {
        let mut step = Step { consumed: 0, produced: 0, next: Need::Output };
        for _ in 0..ROUNDS {
            if step.produced == output.len() {
                break;
            }
            let moved = self.round(input, ending, output, &mut step);
            if self.links.last().is_none_or(|link| link.coding.state == State::Ended) {
                step.next = Need::Done;
                break;
            }
            if !moved {
                match self.fault {
                    Some(fault) if step.produced == 0 => return Err(fault),
                    Some(_) => {}
                    None => step.next = Need::Input,
                }
                break;
            }
        }
        self.produced += step.produced as u64;
        Ok(step)
    }

    /// Gives each coding the output of the one before it. Returns false if there was nothing to do.
    fn round(&mut self, input: &[u8], ending: Ending, output: &mut [u8], step: &mut Step) -> bool {
        let mut moved = false;
        for at in 0..self.links.len() {
            let (before, rest) = self.links.split_at_mut(at);
            let Some((link, behind)) = rest.split_first_mut() else { break };
            let source = before.last_mut();
            let (from, is_last) = match &source {
                None => (input.get(step.consumed..).unwrap_or_default(), ending != Ending::Open),
                Some(source) => (source.pipe.filled(), source.coding.state == State::Ended),
            };
            let ending = if is_last { ending } else { Ending::Open };
            let to = match behind.is_empty() {
                true => output.get_mut(step.produced..).unwrap_or_default(),
                false => link.pipe.room(),
            };
            if to.is_empty() || !link.coding.has_work(from, is_last) {
                continue;
            }
            moved = true;
            let Progress { consumed, produced, fault } = link.coding.step(from, ending, to);
            self.fault = self.fault.or(fault);
            self.short |= link.coding.short;
            match source {
                None => step.consumed += consumed,
                Some(source) => source.pipe.start += consumed,
            }
            if behind.is_empty() {
                step.produced += produced;
                continue;
            }
            link.pipe.filled_with(produced);
            let body = self.produced + step.produced as u64;
            if link.pipe.total > ADVANCE + ADVANCE_PER_BYTE * body {
                link.coding.state = State::Failed;
                self.fault = self.fault.or(Some(Corrupt("coded again and again, and hardly a body in it")));
            }
        }
        moved
    }

    /// Prepares the decoder for another body. Returns false if it cannot be used again.
    pub(super) fn restart(&mut self) -> bool {
        let [link] = &mut self.links[..] else { return false };
        (self.produced, self.fault, self.short) = (0, None, false);
        (link.coding.pending, link.coding.state, link.coding.short) = (false, State::Running, false);
        link.coding.stage.restart()
    }
}

impl Coding {
    fn new(stage: Box<dyn Stage>) -> Coding {
        Coding { stage, pending: false, state: State::Running, short: false }
    }

    fn has_work(&self, from: &[u8], is_last: bool) -> bool {
        self.state == State::Running && (!from.is_empty() || self.pending || is_last)
    }

    fn step(&mut self, from: &[u8], ending: Ending, to: &mut [u8]) -> Progress {
        if from.is_empty() && !self.pending && ending != Ending::Open {
            return self.end(ending);
        }
        let mut progress = self.stage.step(from, to);
        if !from.is_empty() && progress == Progress::default() {
            progress.fault = Some(Corrupt("the decoder takes no more"));
        }
        self.pending = progress.produced == to.len();
        if progress.fault.is_some() {
            self.state = State::Failed;
        }
        progress
    }

    /// Ends the coding: no more input comes.
    fn end(&mut self, ending: Ending) -> Progress {
        let end = self.stage.end();
        self.short = end == End::AfterBlock && ending == Ending::Proven;
        let fault = (end != End::Whole && !self.short).then(|| Corrupt(self.stage.cut()));
        self.state = if fault.is_none() { State::Ended } else { State::Failed };
        Progress { fault, ..Progress::default() }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("codings", &self.links.len()).field("produced", &self.produced).finish()
    }
}
