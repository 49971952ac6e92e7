//! A stand-in until the frames are merged.

use super::settings::Opened;
use crate::error::ResponseHead;
use crate::net::duplex::Duplex;
use crate::response::ConnectionInfo;

/// A WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    stream: Duplex,
    opened: Opened,
}

impl WebSocket {
    pub(crate) fn open(stream: Duplex, opened: Opened) -> WebSocket {
        WebSocket { stream, opened }
    }

    /// Returns the subprotocol.
    pub fn protocol(&self) -> Option<&str> {
        self.opened.protocol.as_deref()
    }

    /// Returns the response.
    pub fn response(&self) -> &ResponseHead {
        &self.opened.head
    }

    /// Returns the connection.
    pub fn connection(&self) -> Option<&ConnectionInfo> {
        self.opened.connection.as_ref()
    }

    /// Returns whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.stream.is_closed()
    }
}
