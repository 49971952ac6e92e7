//! The responses that led to this one.

use super::Response;
use crate::error::ResponseHead;

impl Response {
    /// The redirects that were followed to get here, the first one first; without their bodies.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::get(url).send()?;
    /// for passed in response.history() {
    ///     println!("{} {}", passed.status(), passed.url());
    /// }
    /// assert!(response.history().is_empty()); // it was no redirect
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn history(&self) -> &[ResponseHead] {
        &self.history
    }
}
