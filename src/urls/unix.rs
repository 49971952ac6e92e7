//! URLs of servers at a Unix socket.

use std::path::Path;
use std::sync::Arc;

use super::origin::{Origin, Scheme};
use super::socket::{MAX_PATH, check_path};
use super::{InvalidUrl, Url};

/// Returns the path of a Unix socket as text, or the name of an abstract one with its NUL.
pub(crate) fn socket_path(path: &Path) -> Result<Arc<str>, InvalidUrl> {
    // It may be too long and not be UTF-8. The length is what the caller can see.
    if path.as_os_str().len() > MAX_PATH + 1 {
        return Err(InvalidUrl::SocketPathTooLong);
    }
    let path = path.to_str().ok_or(InvalidUrl::SocketPathUtf8)?;
    check_path(path).map(|()| path.into())
}

impl Url {
    /// Returns the `http+unix` URL of a server at a Unix socket. The target is the path of the resource with its query,
    /// as in a request line; an empty one is `/`.
    ///
    /// The path of the socket is percent-encoded into the place of the host. A relative path is taken as it is: it
    /// counts from the current folder of the process at the time when a connection is opened.
    ///
    /// On Linux and Android a path that begins with a NUL is an abstract address, which is in no folder. It is `%00name` in
    /// a URL, and what other programs write as `@name`. Other systems have none, and refuse it.
    ///
    /// # Errors
    ///
    /// - [`InvalidUrl::SocketPath`] if the path is empty, and [`InvalidUrl::SocketPathNul`] if it has a NUL byte.
    /// - [`InvalidUrl::SocketPathUtf8`] if the path is not UTF-8.
    /// - [`InvalidUrl::SocketPathTooLong`] if the path is longer than an address of the system may be: 107 bytes on
    ///   Linux, 103 elsewhere. A relative path may be shorter.
    /// - [`InvalidUrl::Target`] if the target is not empty and begins neither with `/` nor with `?`.
    ///
    /// ```
    /// use hostpool::Url;
    ///
    /// let url = Url::unix("/run/docker.sock", "/v1.47/containers/json?all=1")?;
    /// assert_eq!(url.to_string(), "http+unix://%2Frun%2Fdocker.sock/v1.47/containers/json?all=1");
    /// assert_eq!(url.origin().host(), "/run/docker.sock");
    /// # Ok::<(), hostpool::InvalidUrl>(())
    /// ```
    #[doc(alias = "unix_socket")]
    #[doc(alias = "http+unix")]
    #[doc(alias = "abstract")]
    pub fn unix(path: impl AsRef<Path>, target: &str) -> Result<Url, InvalidUrl> {
        Url::at_socket(Scheme::HttpUnix, path.as_ref(), target)
    }

    /// Returns the `https+unix` URL of a server that speaks TLS at a Unix socket: see [`unix`](Self::unix). Its
    /// certificate must be for the name `localhost`, which is sent as the Host, too.
    ///
    /// # Errors
    ///
    /// Those of [`unix`](Self::unix).
    ///
    /// ```
    /// use hostpool::Url;
    ///
    /// let url = Url::unix_https("/run/app.sock", "/status")?;
    /// assert_eq!(url.to_string(), "https+unix://%2Frun%2Fapp.sock/status");
    /// # Ok::<(), hostpool::InvalidUrl>(())
    /// ```
    #[doc(alias = "https+unix")]
    pub fn unix_https(path: impl AsRef<Path>, target: &str) -> Result<Url, InvalidUrl> {
        Url::at_socket(Scheme::HttpsUnix, path.as_ref(), target)
    }

    fn at_socket(scheme: Scheme, path: &Path, target: &str) -> Result<Url, InvalidUrl> {
        let origin = Origin::at_socket(scheme, &socket_path(path)?)?;
        match target.is_empty() || target.starts_with(['/', '?']) {
            true => Url::with_target(&Arc::new(origin), target),
            false => Err(InvalidUrl::Target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::urls::socket::HAS_ABSTRACT;

    #[test]
    fn paths_and_targets() {
        let longest = "x".repeat(MAX_PATH);
        let table = [
            ("/run/app.sock", "/status", Ok("http+unix://%2Frun%2Fapp.sock/status")),
            ("/run/app.sock", "", Ok("http+unix://%2Frun%2Fapp.sock")),
            ("/run/app.sock", "?a", Ok("http+unix://%2Frun%2Fapp.sock?a")),
            ("app.sock", "/", Ok("http+unix://app.sock/")),
            ("/a b/%2F@:?#\u{e9}", "/", Ok("http+unix://%2Fa%20b%2F%252F%40%3A%3F%23%C3%A9/")),
            ("", "/", Err(InvalidUrl::SocketPath)),
            ("\0", "/", Err(InvalidUrl::SocketPath)),
            ("/a\0b", "/", Err(InvalidUrl::SocketPathNul)),
            ("/run/app.sock", "status", Err(InvalidUrl::Target)),
            ("/run/app.sock", "http://h/", Err(InvalidUrl::Target)),
        ];
        for (path, target, expected) in table {
            let url = Url::unix(path, target);
            assert_eq!(url.as_ref().map(Url::as_str).map_err(|error| *error), expected, "{path:?} {target}");
            if let Ok(url) = url {
                assert_eq!(Url::parse(url.as_str()), Ok(url.clone()));
                assert_eq!(url.origin().host(), path);
            }
        }
        assert!(Url::unix(&longest, "/").is_ok());
        let parsed = |path: &str| Url::parse(&format!("http+unix://{path}/"));
        assert!(parsed(&longest).is_ok());
        assert_eq!(parsed(&format!("{longest}x")), Err(InvalidUrl::SocketPathTooLong));
        assert_eq!(Url::unix(longest + "x", "/"), Err(InvalidUrl::SocketPathTooLong));
    }

    /// The NUL of an abstract address does not count as a byte of its name.
    #[test]
    fn abstract_addresses() {
        let longest = format!("\0{}", "x".repeat(MAX_PATH));
        for path in ["\0app", "\0a\0b\0", &longest] {
            let expected = if HAS_ABSTRACT { Ok(path) } else { Err(InvalidUrl::SocketPathNul) };
            assert_eq!(Url::unix(path, "/").as_ref().map(Url::host).map_err(|error| *error), expected, "{path:?}");
        }
        if HAS_ABSTRACT {
            assert_eq!(Url::unix("\0a/b", "/c").unwrap().as_str(), "http+unix://%00a%2Fb/c");
            assert_eq!(Url::unix_https("\0a", "/c").unwrap().as_str(), "https+unix://%00a/c");
            assert_eq!(Url::parse("http+unix://%00a/c").unwrap(), Url::unix("\0a", "/c").unwrap());
            assert_eq!(Url::unix(longest + "x", "/"), Err(InvalidUrl::SocketPathTooLong));
        }
    }

    #[test]
    #[cfg(unix)]
    fn paths_that_are_no_text() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/run/\xff.sock"));
        assert_eq!(Url::unix(path, "/"), Err(InvalidUrl::SocketPathUtf8));
    }
}
