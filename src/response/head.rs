//! What the head of a response says, and where it came from.

use std::net::SocketAddr;

use http::{Method, StatusCode, Version};

use super::Response;
use crate::h1::TransferCoding;
use crate::headers::Headers;
use crate::urls::Url;

/// # Head
impl Response {
    /// Returns the status code.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::get(url).send()?;
    /// assert_eq!(response.status(), 404);
    /// assert!(response.status().is_client_error());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "status_code")]
    pub fn status(&self) -> StatusCode {
        self.inner.parts.head.status
    }

    /// Returns whether the status is below 400.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    /// assert!(!hostpool::get(url).send()?.ok());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "is_success")]
    pub fn ok(&self) -> bool {
        self.inner.parts.head.status.as_u16() < 400
    }

    /// Returns the reason phrase as the server sent it. It is empty if the server sent none, or one that is not UTF-8.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n");
    /// assert_eq!(hostpool::get(url).send()?.reason(), "Fine");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn reason(&self) -> &str {
        self.inner.parts.head.reason()
    }

    /// Returns the HTTP version of the response.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::Version;
    ///
    /// assert_eq!(hostpool::get(url).send()?.version(), Version::HTTP_11);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "version_string")]
    pub fn version(&self) -> Version {
        self.inner.parts.head.version
    }

    /// Returns the header fields as they came. If the body is decoded, Content-Encoding and Content-Length still
    /// describe the coded body.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nX-Tag: a\r\nx-tag: b\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::get(url).send()?;
    /// assert_eq!(response.headers().get_all("X-Tag").collect::<Vec<_>>(), ["a", "b"]);
    /// // As it was sent, byte for byte:
    /// let field = response.headers().iter().nth(1).unwrap();
    /// assert_eq!((field.name(), field.bytes()), ("x-tag", &b"b"[..]));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "raw_headers")]
    #[doc(alias = "getheader")]
    #[doc(alias = "getheaders")]
    #[doc(alias = "info")]
    pub fn headers(&self) -> &Headers {
        &self.inner.parts.head.headers
    }

    /// Returns the method of the request.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// use hostpool::Method;
    ///
    /// assert_eq!(hostpool::head(url).send()?.method(), Method::HEAD);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn method(&self) -> &Method {
        &self.inner.parts.about.method
    }

    /// Returns the URL of the request.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// assert_eq!(hostpool::get(&*url).send()?.url().as_str(), url);
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "geturl")]
    #[doc(alias = "real_url")]
    pub fn url(&self) -> &Url {
        &self.inner.parts.about.url
    }

    /// Returns the length that the server announced, if it did. For `HEAD` it is the length of the body that a `GET`
    /// would have. A decoded body has another length.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// assert_eq!(hostpool::get(url).send()?.content_length(), Some(5));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn content_length(&self) -> Option<u64> {
        match self.inner.parts.head.facts.transfer_coding {
            TransferCoding::None => self.inner.parts.head.facts.content_length,
            _ => None,
        }
    }

    /// Returns whether the body is sent in chunks (RFC 9112, section 7.1), also if there is a `Content-Length`.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    /// assert!(hostpool::get(url).send()?.is_chunked());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "chunked")]
    pub fn is_chunked(&self) -> bool {
        self.inner.parts.head.facts.transfer_coding == TransferCoding::Chunked
    }

    /// Returns the address of the server, for TCP connections.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// let address = hostpool::get(url).send()?.remote_addr().unwrap();
    /// assert!(address.ip().is_loopback());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.inner.remote
    }

    /// Returns whether the connection had carried a request before this one.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    /// let session = hostpool::Session::new();
    /// assert!(!session.get(&*url).send()?.is_reused());
    /// assert!(session.get(&*url).send()?.is_reused());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn is_reused(&self) -> bool {
        self.inner.reused
    }

    /// Returns whether the whole request was sent, its body included. It is true for a request without a body.
    ///
    /// False means that the server answered before it had the whole body, and that the rest was not sent, in one of
    /// these cases:
    ///
    /// - The status is from 400 on: the client stops, because the server has refused the request.
    /// - The response is a redirect that is followed with the body, which is sent whole to the new place. This concerns
    ///   the responses in [`history`](Self::history).
    /// - The response came in place of the 100 that [`expect100`](crate::RequestBuilder::expect100) asks for.
    /// - The server closed or reset the connection after a complete response. With any other status the client
    ///   continues to send the body, and logs a warning if it cannot.
    ///
    /// "Sent" means that the system has taken the bytes. The status says what the server made of them. Read a response
    /// to its end if its server answers before it has the body, for example to report progress. Dropping the response
    /// earlier closes the connection, and the system discards the part of the body that it has not sent by then.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::put(url).data("text").send()?;
    /// assert!(response.request_body_complete());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn request_body_complete(&self) -> bool {
        self.inner.parts.about.request_body_complete
    }

    /// Returns the trailer fields of a chunked body that has been read to its end. They are not part of the headers
    /// (RFC 9110, section 6.5.1).
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n");
    /// let mut response = hostpool::get(url).send()?;
    /// response.load()?;
    /// assert_eq!(response.trailers().get("X-Sum"), Some("1"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn trailers(&self) -> &Headers {
        self.inner.reader.trailers()
    }

    /// Returns how many lines of the head were dropped because they are not header fields: lines without a colon, with
    /// a name that is not ASCII, or with a control character in the value. After the body has been read, dropped lines
    /// of the trailers count too. Lines that continue such a line are not counted. The names are logged. It is 0 under
    /// [`Strictness::Strict`](crate::Strictness::Strict), which refuses such a response.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nPHP Warning:  Unable to load\r\nContent-Length: 5\r\n\r\nhello");
    /// // A line of the head is "PHP Warning:  Unable to load".
    /// let response = hostpool::get(url).send()?;
    /// assert_eq!(response.dropped_lines(), 1);
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn dropped_lines(&self) -> usize {
        let of_trailers = self.inner.reader.trailer_section().map_or(0, |trailers| trailers.dropped.lines);
        self.inner.parts.head.facts.dropped_lines as usize + of_trailers
    }
}
