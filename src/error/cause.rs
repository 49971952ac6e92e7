//! The sources of errors, and the bound on their size.
//!
//! A peer decides how long the text of some failures is: a certificate of 3,000 names is listed name by name. The text
//! that an error shows stays below 4 KiB whatever its source is.

use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::io;

/// The bound on the bytes of a source's text, and of the text of each error below it.
const TEXT: usize = 400;

/// The bound on the bytes of a source's `Debug`, with the errors below it.
const DEBUG: usize = 2048;

/// The bound on the errors of a chain.
const DEPTH: usize = 4;

/// The start of a text that was too long.
#[derive(Debug)]
struct Shortened(String);

impl fmt::Display for Shortened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Shortened {}

/// Returns a short source as it is, and otherwise the start of its text. The kind of an `io::Error` is kept.
pub(super) fn bounded(source: Box<dyn StdError + Send + Sync>) -> Box<dyn StdError + Send + Sync> {
    if is_short(&*source) {
        return source;
    }
    let text = Shortened(shortened(format_args!("{source}"), TEXT));
    match source.downcast_ref::<io::Error>() {
        Some(error) => Box::new(io::Error::new(error.kind(), text)),
        None => Box::new(text),
    }
}

fn is_short(source: &(dyn StdError + 'static)) -> bool {
    let mut left = Some(source);
    for _ in 0..DEPTH {
        let Some(error) = left else { break };
        // A full sink ends the formatting, so that no more of a long text is formatted than is kept.
        if write!(Sink::new(TEXT), "{error}").is_err() {
            return false;
        }
        left = error.source();
    }
    left.is_none() && write!(Sink::new(DEBUG), "{source:?}").is_ok() && write!(Sink::new(DEBUG), "{source:#?}").is_ok()
}

/// Returns at most `bytes` bytes of a text. They end in `...` if the text is longer.
pub(crate) fn shortened(text: fmt::Arguments<'_>, bytes: usize) -> String {
    let mut sink = Sink::new(bytes);
    if sink.write_fmt(text).is_err() {
        let end = sink.text.floor_char_boundary_at(bytes.saturating_sub(3));
        sink.text.truncate(end);
        sink.text.push_str("...");
    }
    sink.text
}

/// A buffer that fails when it is full.
struct Sink {
    text: String,
    room: usize,
}

impl Sink {
    fn new(room: usize) -> Sink {
        Sink { text: String::new(), room }
    }
}

impl fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.room - self.text.len();
        if text.len() <= room {
            self.text.push_str(text);
            return Ok(());
        }
        self.text.push_str(&text[..text.floor_char_boundary_at(room)]);
        Err(fmt::Error)
    }
}

/// Stands in for `str::floor_char_boundary`, which the oldest supported compiler does not have.
trait Boundary {
    fn floor_char_boundary_at(&self, at: usize) -> usize;
}

impl Boundary for str {
    fn floor_char_boundary_at(&self, at: usize) -> usize {
        (0..=at.min(self.len())).rev().find(|&at| self.is_char_boundary(at)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nested(String, Option<Box<Nested>>);

    impl fmt::Display for Nested {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }

    impl StdError for Nested {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    fn nested(depth: usize, text: &str) -> Nested {
        Nested(text.into(), (depth > 1).then(|| Box::new(nested(depth - 1, text))))
    }

    /// RW-36: what is short is kept, what is long is cut.
    #[test]
    fn what_is_kept_of_a_source() {
        let long = "\u{20ac}".repeat(5000);
        let cut = format!("{}...", &long[..TEXT - 4]);
        let io = |text: &str| Box::new(io::Error::new(io::ErrorKind::ConnectionReset, text));
        let table: [(&str, Box<dyn StdError + Send + Sync>, &str, bool); 7] = [
            ("short", "why".into(), "why", true),
            ("an io::Error", io("why"), "why", true),
            ("a short chain", Box::new(nested(3, "why")), "why", true),
            ("long", long.clone().into(), &cut, false),
            ("a long io::Error", io(&long), &cut, false),
            ("long below", Box::new(Nested("why".into(), Some(Box::new(nested(1, &long))))), "why", false),
            ("a deep chain", Box::new(nested(100, "why")), "why", false),
        ];
        for (row, source, text, kept) in table {
            let kind = source.downcast_ref::<io::Error>().map(io::Error::kind);
            let source = bounded(source);
            assert_eq!(source.downcast_ref::<io::Error>().map(io::Error::kind), kind, "{row}");
            assert_eq!(source.to_string(), text, "{row}");
            let is_text = source.is::<Shortened>() || source.to_string() == cut;
            assert_eq!(is_text, !kept, "{row}");
            assert!(is_short(&*source), "{row}");
        }
        assert_eq!(shortened(format_args!("{}", "\u{20ac}\u{20ac}\u{20ac}"), 8), "\u{20ac}...");
        assert_eq!(shortened(format_args!("12345678"), 8), "12345678");
    }
}
