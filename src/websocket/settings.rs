//! What a WebSocket is opened with.

use std::time::Duration;

use super::decoder::Bounds;
use super::deflate::{Agreed, PerMessageDeflate};
use crate::cancel::CancelToken;
use crate::error::ResponseHead;
use crate::response::ConnectionInfo;
use crate::urls::Url;

/// The most frames of one message. A message of 4 MiB in frames of 64 bytes has 65,536.
const FRAGMENTS: u64 = 131_072;

/// What the caller has asked for.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// For the whole closing handshake, counted from the call of `close`.
    pub(crate) close_timeout: Duration,
    pub(crate) receive_timeout: Option<Duration>,
    pub(crate) send_timeout: Option<Duration>,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) autoclose: bool,
    pub(crate) autoping: bool,
    pub(crate) max_message: Option<u64>,
    pub(crate) max_frame: Option<u64>,
    /// What is offered. `None` is nothing.
    pub(crate) deflate: Option<PerMessageDeflate>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            close_timeout: Duration::from_secs(10),
            receive_timeout: None,
            send_timeout: None,
            heartbeat: None,
            autoclose: true,
            autoping: true,
            max_message: None,
            max_frame: None,
            deflate: None,
        }
    }
}

impl Settings {
    pub(super) fn bounds(&self) -> Bounds {
        let frame = self.max_frame.or(self.max_message).unwrap_or(16 << 20);
        Bounds { frame, message: self.max_message.unwrap_or(64 << 20), fragments: FRAGMENTS }
    }
}

/// What the handshake has found.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) settings: Settings,
    pub(crate) url: Url,
    /// The subprotocol that the server has chosen.
    pub(crate) protocol: Option<String>,
    pub(crate) agreed: Option<Agreed>,
    /// Ends each wait but those of a close.
    pub(crate) token: Option<CancelToken>,
    pub(crate) head: ResponseHead,
    pub(crate) connection: Option<ConnectionInfo>,
}
