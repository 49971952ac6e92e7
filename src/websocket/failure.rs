//! The reason why a connection is over, kept so that each operation after it can say it.

use std::error::Error as StdError;
use std::io;

use super::fault::Fault;
use super::message::LOST;
use crate::error::{Error, ErrorKind, Phase, Reason};

/// Why a connection ended other than by a closing handshake.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    reason: Reason,
    /// The kind and the text of the system's error.
    cause: Option<(io::ErrorKind, String)>,
    /// The close code.
    pub(crate) code: u16,
}

impl Failure {
    pub(crate) fn new(reason: impl Into<Reason>, code: u16) -> Failure {
        Failure { reason: reason.into(), cause: None, code }
    }

    /// Returns the failure of a server that broke a rule.
    pub(crate) fn of(fault: Fault) -> Failure {
        Failure::new(fault.reason(), fault.code())
    }

    /// Returns the failure of a connection that ended without a close frame.
    pub(crate) fn lost() -> Failure {
        Failure::new(ErrorKind::WebSocket { code: LOST }, LOST)
    }

    /// Returns the failure that an error of the connection is. Errors of the network become a loss; a client that was
    /// closed, a cancel and a bound that passed keep their kinds.
    pub(crate) fn from(error: &Error) -> Failure {
        let cause = error.source().map(|cause| {
            let kind = cause.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind);
            (kind, cause.to_string())
        });
        let is_loss = matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Io | ErrorKind::Tls);
        let reason = if is_loss { ErrorKind::WebSocket { code: LOST }.into() } else { error.reason().clone() };
        Failure { reason, cause, code: LOST }
    }

    pub(crate) fn error(&self) -> Error {
        let error = Error::new(self.reason.clone(), Phase::Upgraded);
        match &self.cause {
            Some((kind, text)) => error.with_source(io::Error::new(*kind, text.clone())),
            None => error,
        }
    }
}
