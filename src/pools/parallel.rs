//! The methods of all clients that send requests on threads of the client.

/// The methods `submit`, `submit_with` and `batch` of a client, over its `calls`. The argument makes a client in the
/// examples.
macro_rules! parallel {
    ($client:literal) => {
        /// Sends a request on a thread of the client, and returns at once. The response, or the error, comes from the
        /// returned [`Pending`](crate::Pending).
        ///
        /// The request is of any type that [`IntoRequest`](crate::IntoRequest) lists, such as what
        /// [`get`](Self::get) returns. Its response is that of `send`: its body is not read yet, and it holds its
        /// connection, unless the request has [`preload_content`](crate::RequestBuilder::preload_content). A caller that keeps
        /// unread responses while it waits for a further one may wait for ever at a
        /// [`limit`](crate::ClientBuilder::limit): the pool does not know that the two threads belong together.
        ///
        /// Threads start when they are needed, at most as many as
        /// [`workers`](crate::ClientBuilder::workers) says, and end when they are idle for long or when the client is
        /// dropped. Further requests wait in a queue, first come, first served; the queue has no bound, and a
        /// [`batch`](Self::batch) needs none. The timeouts of a request begin when a thread begins it. Where the system
        /// gives no thread, the request is sent before `submit` returns.
        ///
        /// ```
        /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
        /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        #[doc = $client]
        /// let pending = client.submit(client.get(&url));
        /// // Other work.
        /// assert_eq!(pending.wait()?.text()?, "hello");
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        #[doc(alias = "spawn")]
        #[doc(alias = "FuturesSession")]
        #[doc(alias = "create_task")]
        pub fn submit(&self, request: impl crate::IntoRequest) -> crate::Pending {
            crate::parallel::submit(&self.calls(), request, Ok)
        }

        /// Does the same, and calls `read` with the response on the thread of the client. What it returns is the
        /// result.
        ///
        /// ```
        /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
        /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        #[doc = $client]
        /// let pending = client.submit_with(client.get(&url), |response| response.error_for_status()?.text());
        /// assert_eq!(pending.wait()?, "hello");
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        #[doc(alias = "background_callback")]
        pub fn submit_with<T: Send + 'static>(
            &self,
            request: impl crate::IntoRequest,
            read: impl FnOnce(crate::Response) -> crate::Result<T> + Send + 'static,
        ) -> crate::Pending<T> {
            crate::parallel::submit(&self.calls(), request, read)
        }

        /// Sends many requests on the threads of the client, and returns an iterator of their results: see
        /// [`Batch`](crate::Batch).
        ///
        /// ```
        /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
        /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        #[doc = $client]
        /// let requests = (0..20).map(|page| client.get(&url).params([("page", page)]));
        /// for (page, result) in client.batch(requests) {
        ///     println!("page {page}: {}", result?.text()?);
        /// }
        /// # Ok::<(), hostpool::Error>(())
        /// ```
        #[doc(alias = "map")]
        #[doc(alias = "gather")]
        pub fn batch<I>(&self, requests: I) -> crate::Batch<I::IntoIter>
        where
            I: IntoIterator,
            I::Item: crate::IntoRequest,
        {
            crate::Batch::new(self.calls(), requests.into_iter())
        }
    };
}
pub(crate) use parallel;
