//! Ending a read of the body from another thread.

use super::Response;
use crate::net::abort::AbortHandle;

/// Ends the reading of the body of one response, from any thread: see [`Response::shutdown_handle`].
#[derive(Clone, Debug)]
pub struct ShutdownHandle(AbortHandle);

impl ShutdownHandle {
    /// Shuts the connection down if the response still has it. Returns whether it had.
    ///
    /// A read that waits for bytes ends at once with [`ErrorKind::Closed`](crate::ErrorKind::Closed), and so do later
    /// reads. Bytes that were received before may be returned first. If the body was read to its end, or the response
    /// was closed or dropped, this does nothing, because the connection may already serve another request.
    pub fn shutdown(&self) -> bool {
        self.0.abort()
    }
}

/// # Ending a read from another thread
impl Response {
    /// Returns a handle with which another thread can end the reading of the body while this thread waits for it.
    /// Returns `None` if the connection is back in its pool or closed, because there is nothing more to wait for.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let url = format!("http://{}/", listener.local_addr().unwrap());
    /// # std::thread::spawn(move || {
    /// #     use std::io::{Read, Write};
    /// #     let (mut stream, _) = listener.accept().unwrap();
    /// #     let _ = stream.read(&mut [0; 4096]);
    /// #     let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    /// #     let _ = stream.read_to_end(&mut Vec::new());
    /// # });
    /// // A server that does not send the body:
    /// let response = hostpool::get(url).send()?;
    /// let handle = response.shutdown_handle().unwrap();
    /// let reader = std::thread::spawn(move || response.bytes());
    /// assert!(handle.shutdown());
    /// assert!(reader.join().unwrap().unwrap_err().is_closed());
    /// assert!(!handle.shutdown()); // it is over
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "shutdown")]
    pub fn shutdown_handle(&self) -> Option<ShutdownHandle> {
        self.inner.parts.held.as_ref().map(|held| ShutdownHandle(held.lease.conn().cell.handle()))
    }
}
