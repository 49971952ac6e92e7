//! Repairs field lines that break a rule, if the rule does not decide where a message ends.
//!
//! Most heads never come here. This is the second, slow reading of a head that the first reading refused, or that has
//! folded fields. It is the only reading of trailers. A [`Mender`] takes the lines in order and writes the usable
//! fields, each on one line. Its output is then checked like any received head.

use crate::error::Violation;
use crate::headers::{is_token_byte, is_value_byte, trim};
use crate::strictness::Strictness;

/// The number of names that are kept for the log. Further lines are only counted.
const NAMES: usize = 8;

/// The number of bytes of a name that are kept for the log.
const NAME_BYTES: usize = 64;

/// The lines that were dropped from a head or trailer section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dropped {
    pub(crate) lines: usize,
    /// The names of the first dropped lines, escaped for printing. A line without a colon has an empty name. Its text
    /// is not kept: it may be the rest of a secret value.
    pub(crate) names: Vec<Box<str>>,
}

impl Dropped {
    fn note(&mut self, name: &[u8]) {
        self.lines += 1;
        if self.names.len() < NAMES {
            self.names.push(name[..name.len().min(NAME_BYTES)].escape_ascii().to_string().into());
        }
    }

    /// Adds the lines of another part of the same response.
    pub(crate) fn extend(&mut self, other: &Dropped) {
        self.lines += other.lines;
        let room = NAMES.saturating_sub(self.names.len());
        self.names.extend(other.names.iter().take(room).cloned());
    }
}

/// Reads the field lines of one head or trailer section.
#[derive(Debug)]
pub(super) struct Mender {
    strictness: Strictness,
    /// Accepts a fold without text, because the head has no other fault than its folds.
    blank_folds: bool,
    /// The fields that are kept, one on each line.
    pub(super) out: Vec<u8>,
    current: Current,
    pub(super) dropped: Dropped,
    /// A field about framing was repaired, or a reader that does not know folds may see such a field in one.
    pub(super) mended: bool,
    /// A line ends in a lone LF.
    pub(super) bare_lf: bool,
    /// The first violation found here that a strict reader would report.
    pub(super) fault: Option<Violation>,
}

/// The field that a fold would continue.
#[derive(Clone, Copy, Debug)]
enum Current {
    None,
    /// The field begins at `start` in `out`.
    Kept {
        start: usize,
        framing: Option<Framing>,
    },
    Dropped,
}

/// A field that decides where the message ends, or whether the connection does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Connection,
    Body,
}

impl Framing {
    fn of(name: &[u8]) -> Option<Framing> {
        match name {
            name if name.eq_ignore_ascii_case(b"connection") => Some(Framing::Connection),
            name if name.eq_ignore_ascii_case(b"content-length") => Some(Framing::Body),
            name if name.eq_ignore_ascii_case(b"transfer-encoding") => Some(Framing::Body),
            _ => None,
        }
    }

    /// Returns whether a lenient reader may read this as the name of such a field.
    fn looks_like(name: &[u8]) -> bool {
        let name: Vec<u8> = name.iter().copied().filter(|&byte| is_token_byte(byte)).collect();
        Framing::of(&name).is_some()
    }
}

impl Mender {
    pub(super) fn new(strictness: Strictness, blank_folds: bool, out: Vec<u8>) -> Mender {
        Mender {
            strictness,
            blank_folds,
            out,
            current: Current::None,
            dropped: Dropped::default(),
            mended: false,
            bare_lf: false,
            fault: None,
        }
    }

    pub(super) fn is_strict(&self) -> bool {
        self.strictness.is_strict()
    }

    /// Takes one line with its end, CRLF or LF. The line is not the blank one.
    pub(super) fn push(&mut self, line: &[u8]) -> Result<(), Violation> {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let end = &line[text.len()..];
        self.bare_lf |= end == b"\n";
        let colon = memchr::memchr(b':', text);
        let is_fold = matches!(text, [b' ' | b'\t', ..]);
        // Refuse NUL and a lone CR: other readers end the text or the line there (RFC 9110, section 5.5).
        if let Some(at) = memchr::memchr2(b'\0', b'\r', text) {
            let in_value = colon.is_some_and(|colon| colon < at) || (is_fold && !matches!(self.current, Current::None));
            return Err(if in_value { Violation::FieldValue } else { Violation::FieldName });
        }
        match self.current {
            Current::Kept { start, framing } if is_fold => self.fold(start, framing, trim(text), end),
            // Other readers take a line of blanks for the blank line.
            _ if is_fold && trim(text).is_empty() => Err(Violation::FieldName),
            Current::Dropped if is_fold => refuse_framing(name_in(text, colon), Violation::FieldName),
            // Before the first field each line that begins with a blank is dropped by itself (RFC 9112, section 2.2).
            Current::None if is_fold => {
                self.drop_line(text, colon, Violation::FieldName)?;
                self.current = Current::None;
                Ok(())
            }
            _ => self.field(text, colon, end),
        }
    }

    fn field(&mut self, text: &[u8], colon: Option<usize>, end: &[u8]) -> Result<(), Violation> {
        let Some(at) = colon else { return self.drop_line(text, None, Violation::FieldName) };
        let (spaced, value) = (&text[..at], &text[at + 1..]);
        let name = trim(spaced);
        if name.is_empty() || !name.iter().all(|&byte| is_token_byte(byte)) {
            return self.drop_line(text, colon, Violation::FieldName);
        }
        if !value.iter().all(|&byte| is_value_byte(byte)) {
            return self.drop_line(text, colon, Violation::FieldValue);
        }
        let framing = Framing::of(name);
        if name.len() < spaced.len() {
            // Remove the blanks before the colon, as RFC 9112, section 5.1, requires of a proxy.
            self.tolerate(Violation::FieldName)?;
            self.mended |= framing.is_some();
        }
        self.current = Current::Kept { start: self.out.len(), framing };
        for part in [name, b":", value, end] {
            self.out.extend_from_slice(part);
        }
        Ok(())
    }

    /// Replaces a fold with one space (RFC 9112, section 5.2).
    fn fold(&mut self, start: usize, framing: Option<Framing>, text: &[u8], end: &[u8]) -> Result<(), Violation> {
        match framing {
            None if text.is_empty() && !self.blank_folds => return Err(Violation::FieldName),
            Some(Framing::Connection) if !text.is_empty() => {
                self.tolerate(Violation::FoldedFraming)?;
                self.mended = true;
            }
            Some(_) => return Err(Violation::FoldedFraming),
            // A reader that does not know folds ends the head here, or reads the line as a field about framing.
            None => self.mended |= text.is_empty() || may_be_field_about_framing(text),
        }
        if !text.iter().all(|&byte| is_value_byte(byte)) {
            let field = self.out.split_off(start);
            return self.drop_line(&field, memchr::memchr(b':', &field), Violation::FieldValue);
        }
        while self.out.last().is_some_and(|byte| b" \t\r\n".contains(byte)) {
            self.out.pop();
        }
        if !text.is_empty() {
            self.out.push(b' ');
            self.out.extend_from_slice(text);
        }
        self.out.extend_from_slice(end);
        Ok(())
    }

    /// Drops a line, and the folds that follow it.
    fn drop_line(&mut self, text: &[u8], colon: Option<usize>, why: Violation) -> Result<(), Violation> {
        self.tolerate(why)?;
        refuse_framing(name_in(text, colon), why)?;
        self.dropped.note(trim(&text[..colon.unwrap_or_default()]));
        self.current = Current::Dropped;
        Ok(())
    }

    fn tolerate(&mut self, violation: Violation) -> Result<(), Violation> {
        if self.strictness.is_strict() {
            return Err(violation);
        }
        self.fault.get_or_insert(violation);
        Ok(())
    }
}

/// Returns the name in a bad line. A line without a colon counts as a name as a whole.
fn name_in(text: &[u8], colon: Option<usize>) -> &[u8] {
    &text[..colon.unwrap_or(text.len())]
}

/// Returns whether a reader that does not know folds may read this text as a field about framing.
fn may_be_field_about_framing(text: &[u8]) -> bool {
    memchr::memchr(b':', text).is_some_and(|colon| Framing::looks_like(&text[..colon]))
}

/// Fails if other readers may read the line as a field about framing: such a line cannot be dropped.
fn refuse_framing(name: &[u8], why: Violation) -> Result<(), Violation> {
    if Framing::looks_like(name) { Err(why) } else { Ok(()) }
}
