//! Errors of this crate inside those of `std::io`, and the other way round.

use std::io;

use super::Error;
use super::kind::ErrorKind;

impl Error {
    /// Returns the error as the `Read` of a response returns it. [`Error::from_io`] finds it again.
    pub(crate) fn into_io(self) -> io::Error {
        let kind = match self.kind() {
            ErrorKind::Timeout(_) | ErrorKind::PoolTimeout { .. } => io::ErrorKind::TimedOut,
            ErrorKind::IncompleteBody { .. } => io::ErrorKind::UnexpectedEof,
            ErrorKind::WebSocket { code: 1006 } => io::ErrorKind::ConnectionReset,
            ErrorKind::Protocol(_) | ErrorKind::WebSocket { .. } | ErrorKind::LimitExceeded(_) | ErrorKind::Decode => {
                io::ErrorKind::InvalidData
            }
            ErrorKind::WouldDeadlock { .. } => io::ErrorKind::Deadlock,
            ErrorKind::Closed => io::ErrorKind::NotConnected,
            // Not `Interrupted`: the standard library repeats a read that fails with it.
            ErrorKind::Cancelled => io::ErrorKind::ConnectionAborted,
            _ => self
                .cause()
                .and_then(|cause| cause.downcast_ref::<io::Error>())
                .map_or(io::ErrorKind::Other, io::Error::kind),
        };
        io::Error::new(kind, self)
    }

    /// Returns the error inside an `io::Error` of a read of a response, if there is one.
    ///
    /// ```
    /// # use hostpool::Error;
    /// fn why(error: &std::io::Error) -> String {
    ///     match Error::from_io(error) {
    ///         Some(ours) => format!("{:?}", ours.kind()),
    ///         None => error.to_string(),
    ///     }
    /// }
    /// # assert_eq!(why(&std::io::Error::other("x")), "x");
    /// ```
    pub fn from_io(error: &io::Error) -> Option<&Error> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        error.into_io()
    }
}

impl From<io::Error> for Error {
    /// Returns the error of this crate that is inside, as after a read of a response. Any other error is one of the
    /// caller's own code: its kind is [`ErrorKind::Custom`], and [`get_ref`](Error::get_ref) returns it.
    ///
    /// ```
    /// use hostpool::ErrorKind;
    ///
    /// fn upload() -> hostpool::Result<()> {
    ///     let data = std::fs::read("/no/such/file")?;
    ///     hostpool::post("https://www.example.com/").data(data).send()?;
    ///     Ok(())
    /// }
    ///
    /// let error = upload().unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Custom);
    /// let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    /// assert_eq!(cause.unwrap().kind(), std::io::ErrorKind::NotFound);
    /// ```
    fn from(error: io::Error) -> Error {
        error.downcast().unwrap_or_else(Error::custom)
    }
}
