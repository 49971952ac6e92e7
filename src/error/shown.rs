//! How an error is shown: briefly, whatever it is about.

use std::error::Error as _;
use std::fmt;

use super::{Error, Inner, cause};

/// How many causes `Display` shows, and how many bytes of each.
const CAUSES: usize = 4;
const CAUSE: usize = 256;

/// Bytes of an origin that an error shows. A name has 253 at most, the path of a socket has no such bound.
const ORIGIN: usize = 320;

/// Bytes of an error's `Debug`. What it is shown inside of may indent its lines.
const DEBUG: usize = 3000;

impl fmt::Display for Error {
    /// The kind, the phase, the origin and the causes, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.0.kind, self.0.phase.describe())?;
        if let Some(origin) = &self.0.origin {
            // A host has no bound of its own on its length.
            write!(f, ", {}", cause::shortened(format_args!("{origin}"), ORIGIN))?;
        }
        f.write_str(")")?;
        let mut cause = self.source();
        for _ in 0..CAUSES {
            let Some(error) = cause else { break };
            // Text of the peer or of a library: one line, and not longer than a line is read.
            let text = cause::shortened(format_args!("{error}"), CAUSE);
            write!(f, ": {}", cause::shortened(format_args!("{}", text.escape_debug()), CAUSE))?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    /// All but the response and the history. At most 3,000 bytes, whatever the source is.
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
