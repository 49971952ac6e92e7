//! URLs of servers at a Unix socket.

use std::path::Path;
use std::sync::Arc;

use super::origin::Origin;
use super::{InvalidUrl, Url};

/// The longest path that the address of a Unix socket holds, without the NUL at its end.
const MAX_PATH: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

impl Url {
    /// Returns the `http+unix` URL of a server at a Unix socket. The target is the path of the resource with its query,
    /// as in a request line; an empty one is `/`.
    ///
    /// The path of the socket is percent-encoded into the place of the host. A relative path is taken as it is: it
    /// counts from the current folder of the process at the time when a connection is opened.
    ///
    /// # Errors
    ///
    /// - [`InvalidUrl::SocketPath`] if the path is empty, and [`InvalidUrl::SocketPathNul`] if it has a NUL byte. The
    ///   abstract addresses of Linux, which begin with a NUL byte, are not supported.
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
    pub fn unix(path: impl AsRef<Path>, target: &str) -> Result<Url, InvalidUrl> {
        let path = path.as_ref();
        if path.as_os_str().len() > MAX_PATH {
            return Err(InvalidUrl::SocketPathTooLong);
        }
        let origin = Origin::at_socket(path.to_str().ok_or(InvalidUrl::SocketPathUtf8)?)?;
        match target.is_empty() || target.starts_with(['/', '?']) {
            true => Url::with_target(&Arc::new(origin), target),
            false => Err(InvalidUrl::Target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("\0abstract", "/", Err(InvalidUrl::SocketPathNul)),
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
        assert_eq!(Url::unix(longest + "x", "/"), Err(InvalidUrl::SocketPathTooLong));
    }

    #[test]
    #[cfg(unix)]
    fn paths_that_are_no_text() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/run/\xff.sock"));
        assert_eq!(Url::unix(path, "/"), Err(InvalidUrl::SocketPathUtf8));
    }
}
