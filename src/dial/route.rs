//! The way to an origin: the connections that lead there, and the request target on them.

use std::sync::Arc;

use crate::h1::RequestTarget;
use crate::proxy::Proxy;
use crate::urls::{Origin, Url};

/// The way to an origin. A pool key, the target of a dial and the request target are made from it.
///
/// Two routes are equal if they lead to equal origins the same way. Equal pointers are compared first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The server that HTTP is spoken with. If a proxy forwards requests, it is the proxy.
    origin: Arc<Origin>,
    via: Via,
}

/// The place that a connection of a route is opened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// The host and port of the origin.
    Direct,
    /// The Unix socket that the origin names.
    Unix,
    /// A proxy, which forwards the requests to their servers.
    Forward(Proxy),
    /// A proxy, which opens a tunnel to the origin.
    Tunnel(Proxy),
}

impl Via {
    fn of(origin: &Origin) -> Via {
        if origin.kind().is_unix() { Via::Unix } else { Via::Direct }
    }
}

impl Route {
    /// Returns the way to this origin.
    pub(crate) fn to(origin: &Arc<Origin>) -> Route {
        Route { origin: origin.clone(), via: Via::of(origin) }
    }

    /// Returns the way to this origin through a proxy. All requests that the proxy forwards take the same way, whatever
    /// their origins are. A Unix socket is reached without a proxy.
    pub(crate) fn through(proxy: &Proxy, origin: &Arc<Origin>) -> Route {
        if origin.kind().is_unix() {
            return Route::to(origin);
        }
        match proxy.forwards(origin) {
            true => Route { origin: proxy.server().clone(), via: Via::Forward(proxy.clone()) },
            false => Route { origin: origin.clone(), via: Via::Tunnel(proxy.clone()) },
        }
    }

    /// Returns the route to the proxy itself, which gets the request. A proxy that does not speak HTTP has none: then the
    /// route stays as it is.
    pub(crate) fn forwarding(self) -> Route {
        match self.via {
            Via::Tunnel(proxy) if !proxy.kind().is_socks() => {
                Route { origin: proxy.server().clone(), via: Via::Forward(proxy) }
            }
            via => Route { via, ..self },
        }
    }

    /// Returns the way to this origin by the same proxy, through a tunnel where the proxy would forward requests.
    pub(crate) fn ending_at(self, origin: &Arc<Origin>) -> Route {
        match self.via {
            Via::Forward(proxy) => Route { origin: origin.clone(), via: Via::Tunnel(proxy) },
            via => Route { via, ..self },
        }
    }

    /// Returns the server that HTTP is spoken with.
    pub(crate) fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    pub(crate) fn via(&self) -> &Via {
        &self.via
    }

    /// Returns the server whose address is connected to: the origin, or the proxy.
    pub(crate) fn dialed(&self) -> &Arc<Origin> {
        self.proxy().map_or(&self.origin, Proxy::server)
    }

    /// Returns the proxy of the route.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        match &self.via {
            Via::Direct | Via::Unix => None,
            Via::Forward(proxy) | Via::Tunnel(proxy) => Some(proxy),
        }
    }

    /// Returns whether connections are TLS by the configuration of the client. That of a proxy is a part of the proxy.
    pub(crate) fn is_encrypted(&self) -> bool {
        !matches!(self.via, Via::Forward(_)) && self.origin.kind().is_encrypted()
    }

    /// Returns whether a Unix socket is opened.
    pub(crate) fn is_over_socket(&self) -> bool {
        match &self.via {
            Via::Direct => false,
            Via::Unix => true,
            Via::Forward(proxy) | Via::Tunnel(proxy) => proxy.server().kind().is_unix(),
        }
    }

    /// Returns the server by which the limit counts connections: the server of a tunnel, and the proxy for all requests
    /// that it forwards.
    pub(crate) fn endpoint(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// Returns the request target for a URL on this route. `server_wide` asks for the server itself (`OPTIONS *`). For
    /// a URL of another origin the server of the route is a proxy, which needs the whole URL.
    pub(crate) fn request_target<'a>(&self, url: &'a Url, server_wide: bool) -> RequestTarget<'a> {
        if let Via::Forward(_) = self.via {
            return RequestTarget::Absolute { url, server_wide };
        }
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
        assert_eq!([route("https://h/").via(), route("http+unix://s/").via()], [&Via::Direct, &Via::Unix]);
        assert_eq!(route("http+unix://%2Fs/").endpoint().host(), "/s");
    }

    /// PRX-45: which requests go through a tunnel, and by which server the limit counts their connections.
    #[test]
    fn routes_through_proxies() {
        let proxy = |url: &str| Proxy::parse(url).unwrap();
        let table = [
            ("http://p:3128", "http://h/", "http://p:3128", false, false),
            ("http://p:3128", "https://h/", "https://h", true, true),
            ("https://p", "http://h/", "https://p", false, false),
            ("https://p", "https://h:444/", "https://h:444", true, true),
            ("http://p", "http+unix://s/", "http+unix://s", false, false),
            ("socks5h://p", "http://h/", "http://h", true, false),
        ];
        for (by, url, endpoint, tunnel, encrypted) in table {
            let origin = Url::parse(url).unwrap().shared_origin().clone();
            let route = Route::through(&proxy(by), &origin);
            assert_eq!(route.endpoint().to_string(), endpoint, "{url} by {by}");
            assert_eq!(matches!(route.via(), Via::Tunnel(_)), tunnel, "{url} by {by}");
            assert_eq!(route.is_encrypted(), encrypted, "{url} by {by}");
            let other = Route::through(&proxy("http://u:p@another:1").tunnel_http(tunnel), &origin);
            assert_eq!(route == other, url.starts_with("http+unix"), "{url}");
        }
        // The URL of the proxy itself, in absolute form as all others.
        let url = Url::parse("http://p:3128/a").unwrap();
        let mut written = Vec::new();
        Route::through(&proxy("http://p:3128"), url.shared_origin()).request_target(&url, false).write(&mut written);
        assert_eq!(written, b"http://p:3128/a");
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
