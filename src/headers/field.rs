//! Where a field is in the buffer of its head.

/// The place of one field in the buffer: 16 bytes, so that the list of 60 fields is a small allocation. One bit of the
/// value's length holds the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(super) name: Span,
    value: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// The bit of the value's length that marks a field as secret.
const SECRET: u32 = 1 << 31;

impl Field {
    /// The highest length of a buffer. Every position and length in it leaves the bit of the mark free.
    pub(crate) const MAX_BUFFER: usize = (SECRET - 1) as usize;

    #[inline]
    pub(crate) fn new(name: Span, value: Span) -> Self {
        Field { name, value }
    }

    /// Marks the field as secret. Some names are secret without a mark.
    pub(super) fn marked(mut self, secret: bool) -> Self {
        self.value.len |= if secret { SECRET } else { 0 };
        self
    }

    pub(super) fn value(self) -> Span {
        Span { len: self.value.len & !SECRET, ..self.value }
    }

    pub(super) fn is_marked(self) -> bool {
        self.value.len & SECRET != 0
    }

    /// Makes the value longer, by bytes that were put after it.
    pub(super) fn grow(&mut self, by: u32) {
        self.value.len += by;
    }

    /// Moves each span that begins at or after `from`.
    pub(super) fn shift(&mut self, from: u32, by: u32) {
        for span in [&mut self.name, &mut self.value] {
            span.start += if span.start >= from { by } else { 0 };
        }
    }
}

impl Span {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..][..self.len as usize]
    }
}
