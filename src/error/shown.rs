//! The text of errors. It is short, whatever the error is about.

use std::error::Error as _;
use std::fmt;

use super::{Error, Inner, cause};

/// The number of causes that `Display` shows, and the bytes of each.
const CAUSES: usize = 4;
const CAUSE: usize = 256;

/// The bytes of an origin that an error shows. A name has at most 253, but the path of a socket has no such bound.
const ORIGIN: usize = 320;

/// The bytes of an error's `Debug`. There is room for the indentation by an outer value.
const DEBUG: usize = 3000;

impl fmt::Display for Error {
    /// Shows the kind, the phase, the origin and the causes, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.0.kind, self.0.phase.describe())?;
        if let Some(origin) = &self.0.origin {
            // The length of a host is not bounded.
            write!(f, ", {}", cause::shortened(format_args!("{origin}"), ORIGIN))?;
        }
        f.write_str(")")?;
        let mut cause = self.source();
        for _ in 0..CAUSES {
            let Some(error) = cause else { break };
            // This text comes from the peer or a library. Keep it on one line, and short.
            let text = cause::shortened(format_args!("{error}"), CAUSE);
            write!(f, ": {}", cause::shortened(format_args!("{}", text.escape_debug()), CAUSE))?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    /// Shows all but the response and the history, in at most 3,000 bytes, whatever the source is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Shown(&self.0);
        f.write_str(&match f.alternate() {
            true => cause::shortened(format_args!("{shown:#?}"), DEBUG),
            false => cause::shortened(format_args!("{shown:?}"), DEBUG),
        })
    }
}

struct Shown<'a>(&'a Inner);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, phase, origin, maybe_processed, source, .. } = self.0;
        let origin = origin.as_ref().map(|origin| cause::shortened(format_args!("{origin}"), ORIGIN));
        f.debug_struct("Error")
            .field("kind", kind)
            .field("phase", phase)
            .field("origin", &origin)
            .field("maybe_processed", maybe_processed)
            .field("source", source)
            .finish()
    }
}
