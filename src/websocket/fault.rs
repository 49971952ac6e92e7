//! The rules of the protocol that a server can break, with the close code for each.

use crate::error::{ErrorKind, Limit, Reason};

/// A broken rule. The connection ends with it: where the next frame begins cannot be told, or must not be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// RSV2 or RSV3 is set: no extension that uses them is offered (RFC 6455, section 5.2).
    ReservedBits,
    /// RSV1 is set although no compression was agreed on (RFC 7692, section 6).
    Compressed,
    /// RSV1 is set on a continuation or a control frame (RFC 7692, section 6.1).
    CompressedPart,
    /// An opcode of 3 to 7 or 11 to 15 (section 5.2).
    ReservedOpcode,
    /// A server must not mask (section 5.1).
    Masked,
    /// A control frame without FIN (section 5.5).
    FragmentedControl,
    /// A control frame of more than 125 bytes (section 5.5).
    LongControl,
    /// A length whose most significant bit is set (section 5.2).
    Length,
    /// A length that fits into fewer bytes (section 5.2).
    LengthForm,
    /// A continuation without a message that it goes on with (section 5.4).
    NothingToContinue,
    /// A message that begins before the last one has ended (section 5.4).
    Interleaved,
    /// A close frame of one byte (section 5.5.1).
    CloseLength,
    /// A close code that is never sent (section 7.4).
    CloseCode,
    /// The reason of a close is not UTF-8 (section 5.5.1).
    CloseReason,
    /// A text is not UTF-8 (section 8.1).
    Text,
    /// Compressed data is broken (RFC 7692, section 7.2.2).
    Deflate,
    /// A frame is longer than [`max_frame_size`](crate::WebSocketBuilder::max_frame_size).
    FrameBytes,
    /// A message is longer than [`max_msg_size`](crate::WebSocketBuilder::max_msg_size).
    MessageBytes,
    /// A message has too many frames.
    Fragments,
}

impl Fault {
    /// Returns the close code that the server is told (section 7.4.1).
    pub(crate) const fn code(self) -> u16 {
        match self {
            Fault::CloseReason | Fault::Text | Fault::Deflate => 1007,
            Fault::FrameBytes | Fault::MessageBytes | Fault::Fragments => 1009,
            _ => 1002,
        }
    }

    pub(crate) const fn why(self) -> &'static str {
        match self {
            Fault::ReservedBits => "a frame has a reserved bit set",
            Fault::Compressed => "a frame is compressed, but no compression was agreed on",
            Fault::CompressedPart => "a continuation or a control frame is marked as compressed",
            Fault::ReservedOpcode => "a frame has a reserved opcode",
            Fault::Masked => "a frame of the server is masked",
            Fault::FragmentedControl => "a control frame is fragmented",
            Fault::LongControl => "a control frame has more than 125 bytes",
            Fault::Length => "the length of a frame has its most significant bit set",
            Fault::LengthForm => "the length of a frame is not written in the fewest bytes",
            Fault::NothingToContinue => "a continuation frame continues no message",
            Fault::Interleaved => "a message begins before the last one has ended",
            Fault::CloseLength => "a close frame has one byte",
            Fault::CloseCode => "a close frame has a code that is never sent",
            Fault::CloseReason => "the reason of a close frame is not UTF-8",
            Fault::Text => "a text message is not UTF-8",
            Fault::Deflate => "a compressed message is broken",
            Fault::FrameBytes => "a frame is too long",
            Fault::MessageBytes => "a message is too long",
            Fault::Fragments => "a message has too many fragments",
        }
    }

    /// Returns the limit that was exceeded, if it is one.
    const fn limit(self) -> Option<Limit> {
        match self {
            Fault::FrameBytes => Some(Limit::Frame),
            Fault::MessageBytes => Some(Limit::Message),
            Fault::Fragments => Some(Limit::Fragments),
            _ => None,
        }
    }

    /// Returns the reason of the error that the caller gets.
    pub(crate) fn reason(self) -> Reason {
        match self.limit() {
            Some(limit) => ErrorKind::LimitExceeded(limit).into(),
            None => ErrorKind::WebSocket { code: self.code() }.because(self.why()),
        }
    }
}
