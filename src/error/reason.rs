//! The kind of an error, with what only its text says.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::kind::ErrorKind;
use super::phase::Bound;

/// The kind of an error, with the details that are not part of its kind. A body that cannot be read any more keeps it,
/// so that later reads fail with the same text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) kind: ErrorKind,
    /// The reason in words.
    pub(super) why: Option<Cow<'static, str>>,
    /// The value of the bound that passed.
    pub(super) limit: Option<Duration>,
}

impl Reason {
    pub(crate) const fn new(kind: ErrorKind) -> Reason {
        Reason { kind, why: None, limit: None }
    }

    /// Returns the reason in words.
    pub(crate) fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Returns the reason of a bound that has passed.
    pub(crate) fn timeout(bound: Bound, limit: Option<Duration>) -> Reason {
        Reason { limit, ..Reason::new(ErrorKind::Timeout(bound)) }
    }

    /// Returns the reason of a response that the caller has closed.
    pub(crate) fn closed_response() -> Reason {
        ErrorKind::Closed.because("the response is closed")
    }

    /// Returns the reason of a call that ended with all others of its client.
    pub(crate) fn all_cancelled() -> Reason {
        ErrorKind::Cancelled.because("all calls of the client were cancelled")
    }
}

impl ErrorKind {
    /// Returns the reason of this kind with its words.
    pub(crate) fn because(self, why: impl Into<Cow<'static, str>>) -> Reason {
        Reason { why: Some(why.into()), ..Reason::new(self) }
    }
}

impl From<ErrorKind> for Reason {
    fn from(kind: ErrorKind) -> Reason {
        Reason::new(kind)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kind, self.limit, &self.why) {
            // The words say the speed. The limit is the end of the last wait, and not a value that the caller has set.
            (ErrorKind::Timeout(Bound::Rate), _, None) => write!(f, "{}", self.kind),
            (ErrorKind::Timeout(bound), Some(limit), None) => {
                write!(f, "the {bound} timeout of {} passed", Time(limit))
            }
            // The words say the same with what to write instead.
            (ErrorKind::InvalidUrl(_), _, Some(why)) => write!(f, "invalid URL: {why}"),
            (ErrorKind::Timeout(Bound::Token), ..) => write!(f, "{}", self.kind),
            // The words say which of them is closed.
            (ErrorKind::Closed, _, Some(why)) => f.write_str(why),
            (kind, _, Some(why)) => write!(f, "{kind}: {why}"),
            (kind, _, None) => write!(f, "{kind}"),
        }
    }
}

/// A time as people write it: `30 s`, `1.5 s`, `250 ms`.
pub(crate) struct Time(pub(crate) Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return f.write_str("0 s");
        }
        let text = format!("{:?}", self.0);
        let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(unit);
        write!(f, "{number} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reason_says() {
        let timeout = |limit| Reason::timeout(Bound::Connect, limit).to_string();
        for (limit, shown) in [
            (Duration::from_secs(30), "30 s"),
            (Duration::from_millis(1500), "1.5 s"),
            (Duration::from_millis(250), "250 ms"),
            (Duration::from_micros(7), "7 \u{b5}s"),
            (Duration::ZERO, "0 s"),
        ] {
            assert_eq!(timeout(Some(limit)), format!("the connect timeout of {shown} passed"));
        }
        assert_eq!(timeout(None), "the connect timeout passed");
        assert_eq!(ErrorKind::InvalidRequest.because("why").to_string(), "invalid request: why");
        assert_eq!(Reason::closed_response().to_string(), "the response is closed");
        assert_eq!(Reason::new(ErrorKind::Closed).to_string(), ErrorKind::Closed.to_string());
    }
}
