//! What the stream needs of a TLS library. The library works on memory: it is given ciphertext and gives ciphertext, and
//! never blocks. So bytes move without its lock, whatever the library is.

use std::fmt;
use std::io::{self, IoSlice};

use crate::error::{Result, TlsFailure};
use crate::net::tls_info::TlsInfo;
use crate::urls::Origin;

/// A TLS library with a configuration.
pub(super) trait Backend: Send + Sync {
    /// Begins a connection to `origin`.
    fn begin(&self, origin: &Origin) -> Result<Box<dyn Session>, TlsFailure>;
}

/// The client's end of one TLS connection.
pub(super) trait Session: Send + fmt::Debug {
    /// Takes ciphertext. It is not called while plaintext waits.
    fn feed(&mut self, input: &[u8]) -> Result<Fed, TlsFailure>;

    /// Notes the end of the ciphertext. After an end without close_notify, `read` fails with `UnexpectedEof` when all
    /// plaintext is read.
    fn end(&mut self);

    /// Moves plaintext to `buf`. Fails with `WouldBlock` if there is none yet, and returns 0 after a close_notify.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Returns whether plaintext waits to be read.
    fn has_plaintext(&mut self) -> bool;

    /// Takes plaintext, and returns how many bytes were taken.
    fn write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Returns whether ciphertext waits to be sent.
    fn wants_write(&self) -> bool;

    /// Appends the ciphertext that waits to be sent.
    fn pull(&mut self, outgoing: &mut Vec<u8>);

    /// Encrypts a close_notify.
    fn close(&mut self);

    fn is_handshaking(&self) -> bool;

    /// Returns the failure behind an end of the connection, if something that the peer did before explains it.
    fn explain_end(&self) -> Option<TlsFailure>;

    /// Returns the facts about the connection.
    fn info(&self) -> TlsInfo;
}

/// What became of fed ciphertext.
pub(super) struct Fed {
    /// The bytes that were taken.
    pub(super) taken: usize,
    /// The peer has ended its direction by close_notify.
    pub(super) closed: bool,
}
