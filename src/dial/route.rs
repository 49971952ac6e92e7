//! The way to an origin: the connections that lead there, and the request target on them.

use std::sync::Arc;

use crate::h1::RequestTarget;
use crate::urls::{Origin, Url};

/// The way to an origin. A pool key, the target of a dial and the request target are made from it.
///
/// Two routes are equal if they lead to equal origins the same way. Equal pointers are compared first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    origin: Arc<Origin>,
    via: Via,
}

/// The place that a connection of a route is opened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// The host and port of the origin.
    Direct,
    /// The Unix socket that the origin names.
    Unix,
}

impl Via {
    pub(crate) fn of(origin: &Origin) -> Via {
        if origin.kind().is_unix() { Via::Unix } else { Via::Direct }
    }
}

impl Route {
    /// Returns the way to this origin.
    pub(crate) fn to(origin: &Arc<Origin>) -> Route {
        Route { origin: origin.clone(), via: Via::of(origin) }
    }

    /// Returns the origin that this route leads to.
    pub(crate) fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    pub(crate) fn via(&self) -> Via {
        self.via
    }

    /// Returns whether connections are opened to the host of an URL, over TCP.
    pub(crate) fn is_direct(&self) -> bool {
        self.via == Via::Direct
    }

    /// Returns the server that connections are opened to. The limit on connections counts them by it.
    pub(crate) fn endpoint(&self) -> &Arc<Origin> {
        match self.via {
            Via::Direct | Via::Unix => &self.origin,
        }
    }

    /// Returns the request target for a URL on this route. `server_wide` asks for the server itself (`OPTIONS *`). For
    /// a URL of another origin the server of the route is a proxy, which needs the whole URL.
    pub(crate) fn request_target<'a>(&self, url: &'a Url, server_wide: bool) -> RequestTarget<'a> {
        match (self.origin == *url.shared_origin(), server_wide) {
            (true, false) => RequestTarget::Origin(url),
            (true, true) => RequestTarget::Asterisk,
            (false, _) => RequestTarget::Absolute { url, server_wide },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes() {
        let route = |url: &str| Route::to(Url::parse(url).unwrap().shared_origin());
        let table = [
            ("http://h/a", "http://H:80/b", true),
            ("http://h/", "http://h:81/", false),
            ("http://h/", "https://h/", false),
            ("http+unix://%2Fs/a", "http+unix://%2Fs/b", true),
            ("http+unix://s/", "http://s/", false),
        ];
        for (one, other, equal) in table {
            assert_eq!(route(one) == route(other), equal, "{one} {other}");
        }
        assert_eq!([route("https://h/").via(), route("http+unix://s/").via()], [Via::Direct, Via::Unix]);
        assert_eq!(route("http+unix://%2Fs/").endpoint().host(), "/s");
    }

    /// RFC 9112, section 3.2.
    #[test]
    fn request_targets() {
        let table = [
            ("http://h", "http://h/a?b#c", false, "/a?b"),
            ("http://h", "http://h", false, "/"),
            ("http://h", "http://h/a?b", true, "*"),
            ("http://proxy:8080", "http://user:secret@h/a?b#c", false, "http://h/a?b"),
            ("http://proxy:8080", "http://h:81/a?b#c", true, "http://h:81"),
            ("http+unix://%2Fs", "http+unix://%2Fs/a", false, "/a"),
        ];
        for (home, url, server_wide, expected) in table {
            let (home, url) = (Url::parse(home).unwrap(), Url::parse(url).unwrap());
            let mut written = Vec::new();
            Route::to(home.shared_origin()).request_target(&url, server_wide).write(&mut written);
            assert_eq!(String::from_utf8(written).unwrap(), expected, "{url} at {home}");
        }
    }
}
