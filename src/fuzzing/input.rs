//! Structured values out of the bytes of a fuzzer.

/// Reads values from the front of some bytes. Behind their end everything is zero and empty, so that every input means
/// something and a small change of the bytes is a small change of the meaning.
#[derive(Clone, Debug)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Input { rest: data }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        match self.rest {
            [first, rest @ ..] => {
                self.rest = rest;
                *first
            }
            [] => 0,
        }
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// From 0 to `most`; one byte where that is enough.
    pub(super) fn number(&mut self, most: usize) -> usize {
        let low = usize::from(self.byte());
        match most {
            0..=0xFF => low % (most + 1),
            _ => (low | usize::from(self.byte()) << 8) % (most + 1),
        }
    }

    pub(super) fn option(&mut self, most: usize) -> Option<usize> {
        self.number(most + 1).checked_sub(1)
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.number(of.len() - 1)]
    }

    /// As many as a first byte says, and no more than there are.
    pub(super) fn bytes(&mut self, most: usize) -> &'a [u8] {
        let len = self.number(most).min(self.rest.len());
        let (front, rest) = self.rest.split_at(len);
        self.rest = rest;
        front
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

/// `bytes` in pieces: as long as `sizes` says, round and round, where a size of 0 is all that is left.
pub(super) fn pieces<'a>(mut bytes: &'a [u8], sizes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let len = match sizes.next() {
            None | Some(0) => bytes.len(),
            Some(&size) => usize::from(size).min(bytes.len()),
        };
        let (front, rest) = bytes.split_at(len);
        bytes = rest;
        (len > 0).then_some(front)
    })
}
