//! Requests that open a WebSocket.

use http::Version;

use super::RequestBuilder;
use crate::error::{Error, Result};
use crate::headers::{Headers, InvalidHeader};

impl RequestBuilder {
    /// Makes this the opening handshake of a WebSocket, whose fields `write` adds. Whatever the server answers is a
    /// response, because the caller judges it.
    pub(crate) fn handshake(self, write: impl FnOnce(&mut Headers) -> Result<(), InvalidHeader>) -> Self {
        self.change(|request| {
            let options = request.options_mut();
            (options.tunnels, options.websocket, options.raise) = (true, true, Some(false));
            request.version = Version::HTTP_11;
            Ok(write(&mut request.headers)?)
        })
    }

    /// Makes this a request that fails with `error` before it is sent, unless it does so anyway.
    pub(crate) fn failing(self, error: Error) -> Self {
        self.change(|_| Err(error))
    }
}
