//! Setters of a [`RequestBuilder`] for the way to the host.

use super::RequestBuilder;
use crate::net::names::IntoAddresses;

/// # The way to the host
impl RequestBuilder {
    /// Sets the addresses of a host for this request: the name is not looked up. They come before those that the
    /// [client](crate::ClientBuilder::resolve_to) has for the host. The URL, the Host field, cookies and the name in the
    /// server's certificate stay as they are.
    ///
    /// They are for this host alone: a redirect to another name looks that up. A redirect back to this host uses them
    /// again. The request shares a connection only with requests that give the same addresses for the host.
    ///
    /// The addresses are tried as those that a resolver gives. One without a port, or with port 0, is used with the port
    /// of the URL; another port takes the place of the URL's.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if `host` is not a name or an IP address alone.
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the client has a
    ///   [dialer](crate::ClientBuilder::dialer), which finds addresses by itself.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    /// # let server: std::net::SocketAddr = hostpool::Url::parse(&url)?.netloc().parse().unwrap();
    /// let response = hostpool::get("http://new.example/").resolve_to("new.example", server).send()?;
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "resolve")]
    #[doc(alias = "connect_to")]
    #[doc(alias = "dns_override")]
    pub fn resolve_to(self, host: &str, addresses: impl IntoAddresses) -> Self {
        self.try_set(|options| options.resolve_to.set(host, addresses))
    }
}
