//! The cookies that a response sets.

use std::time::SystemTime;

use super::Response;
use crate::cookies::Cookie;

/// # Cookies
impl Response {
    /// Returns the cookies of the Set-Cookie fields, in order. Fields that are not valid cookies are skipped. The
    /// [jar](crate::Session::cookies) of a session decides which of the cookies it keeps.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nSet-Cookie: id=7; Path=/a\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::get(url).send()?;
    /// let cookies = response.cookies();
    /// assert_eq!((cookies[0].name().as_ref(), cookies[0].value().as_ref()), ("id", "7"));
    /// assert_eq!(cookies[0].path(), Some("/a"));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn cookies(&self) -> Vec<Cookie> {
        if !self.inner.parts.head.facts.set_cookie {
            return Vec::new();
        }
        let now = SystemTime::now();
        self.headers().values("set-cookie").filter_map(|value| Cookie::parse_bytes(value, now).ok()).collect()
    }

    /// Returns the last cookie with this name.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
    /// # let url = example::serve("HTTP/1.1 200 OK\r\nSet-Cookie: id=7\r\nSet-Cookie: id=8\r\nContent-Length: 0\r\n\r\n");
    /// let response = hostpool::get(url).send()?;
    /// assert_eq!(response.cookie("id").unwrap().value(), "8");
    /// assert!(response.cookie("other").is_none());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn cookie(&self, name: &str) -> Option<Cookie> {
        self.cookies().into_iter().rev().find(|cookie| cookie.name() == name)
    }
}
