//! Setters of a [`RequestBuilder`] for the arguments of urllib3's `urlopen` and `request`.

use std::time::Duration;

use http::Method;

use super::RequestBuilder;
use crate::body::urlencoded::IntoPairs;
use crate::client::options;
use crate::error::Error;
use crate::multipart::Form;
use crate::retry::Retry;

/// # The parameters of urllib3's `urlopen`
impl RequestBuilder {
    /// Sets which failures are tried again, in place of the client's `Retry`. A number is the number of tries beyond
    /// the first.
    ///
    /// A [`Session`](crate::Session) does not count redirects as retries: they have
    /// [`max_redirects`](Self::max_redirects).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if a sensitive header of the `Retry` is not a
    /// token.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// use hostpool::{PoolManager, Retry};
    /// use std::time::Duration;
    ///
    /// let http = PoolManager::new();
    /// http.get(&url).retries(5).send()?;
    /// http.get(&url).retries(Retry::off()).send()?;
    /// http.get(&url).retries(Retry::new(2).backoff_factor(Duration::from_millis(50))).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "max_retries")]
    pub fn retries(self, retry: impl Into<Retry>) -> Self {
        let retry = retry.into();
        self.try_set(|options| {
            options.sensitive.extend(options::check_names(retry.sensitive().iter())?);
            options.retry = Some(retry);
            Ok(())
        })
    }

    /// Sets how long the request waits for a connection if all are in use. Zero does not wait. It replaces
    /// [`Timeout::pool`](crate::Timeout::pool) and the bound of the pool; the bound on the whole call still holds.
    ///
    /// ```no_run
    /// use hostpool::ConnectionPool;
    /// use std::time::Duration;
    ///
    /// let pool = ConnectionPool::builder("http://example.com").maxsize(2).block(true).build()?;
    /// let response = pool.get("/").pool_timeout(Duration::from_millis(50)).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn pool_timeout(self, limit: Duration) -> Self {
        self.set(|options| options.pool_timeout = Some(limit))
    }

    /// Sets whether the body is read before `send` returns, as [`load`](crate::Response::load) reads it. Default: no,
    /// except for the `urlopen` of the pools. A preloaded response has given its connection back, and a body that
    /// breaks off is [tried again](crate::Retry::read).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let response = hostpool::get(&url).preload_content(true).send()?;
    /// assert!(response.connection().is_none());
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn preload_content(self, preload: bool) -> Self {
        self.change(|request| {
            request.preload = preload;
            Ok(())
        })
    }

    /// Sets whether the response is [released](crate::Response::release) before `send` returns, for callers that want
    /// only its head. Default: no. Then the response keeps its connection until its body is read, or it is dropped. A
    /// [preloaded](Self::preload_content) response is not released.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// let response = hostpool::get(&url).release_conn(true).send()?;
    /// assert_eq!(response.status(), 200);
    /// assert!(response.connection().is_none());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn release_conn(self, release: bool) -> Self {
        self.change(|request| {
            request.release = release;
            Ok(())
        })
    }

    /// Sets whether a [`ConnectionPool`](crate::ConnectionPool) refuses URLs of other hosts. Default: yes. With `false`
    /// the pool asks its own host for them by their whole URL, as a client asks a forward proxy (RFC 9112, section
    /// 3.2.2). A pool that speaks to its host in clear refuses `https` URLs all the same. Other clients have no host of
    /// their own, and always ask the host of the URL.
    ///
    /// ```no_run
    /// use hostpool::ConnectionPool;
    ///
    /// let proxy = ConnectionPool::builder("http://proxy.example:3128").build()?;
    /// let response = proxy.get("http://example.com/").assert_same_host(false).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn assert_same_host(self, assert: bool) -> Self {
        self.set(|options| options.any_host = !assert)
    }

    /// Sets the position in bytes at which the body begins in its seekable reader. Each try reads from there. Default:
    /// the position that the reader had when it became a body.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the body cannot seek, or is set after this.
    ///
    /// ```no_run
    /// use hostpool::{Body, ConnectionPool};
    /// use std::fs::File;
    ///
    /// let pool = ConnectionPool::builder("http://example.com").build()?;
    /// // All of the file but its first line, of 128 bytes.
    /// pool.put("/rows").data(Body::seekable(File::open("rows.csv")?)).body_pos(128).send()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn body_pos(self, position: u64) -> Self {
        self.change(|request| {
            request.body.begin_at(position).map_err(|error| {
                Error::request("body_pos needs a body that can seek, and is called after the body is set")
                    .with_source(error)
            })
        })
    }

    /// Adds pairs where the method has its parameters: to the query of `GET`, `HEAD`, `DELETE` and `OPTIONS`, and to a
    /// `multipart/form-data` body otherwise. Use [`form`](Self::form) for a form that is not multipart, and
    /// [`multipart`](Self::multipart) for files.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the request already has a body.
    ///
    /// ```
    /// use hostpool::PoolManager;
    ///
    /// let http = PoolManager::new();
    /// let request = http.get("http://example.com/?a=1").fields([("b", "2")]).build()?;
    /// assert_eq!(request.url().target(), "/?a=1&b=2");
    /// let request = http.post("http://example.com/").fields([("b", "2")]).build()?;
    /// assert!(!request.body().is_empty());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "request_encode_url")]
    #[doc(alias = "request_encode_body")]
    pub fn fields(self, pairs: impl IntoPairs) -> Self {
        let in_query = [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS];
        match &self.request {
            Ok(request) if !request.body.is_empty() => {
                self.change(|_| Err(Error::request("fields make a body, and the request has one already")))
            }
            Ok(request) if !in_query.contains(&request.method) => match pairs.pairs() {
                Ok(pairs) => {
                    self.multipart(pairs.into_iter().fold(Form::new(), |form, (name, value)| form.text(name, value)))
                }
                Err(error) => self.change(|_| Err(error)),
            },
            _ => self.params(pairs),
        }
    }
}
