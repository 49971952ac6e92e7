//! Redirects: the request that a response asks for, and whether it is made (RFC 9110, section 15.4).
//!
//! Nothing is sent here. The status and the Location of a response become the plan of the next request, or the reason
//! not to follow.

mod when;

use std::sync::Arc;

use http::{Method, StatusCode};

use crate::headers::Headers;
use crate::urls::{InvalidUrl, Origin, Url, as_http};

pub(crate) use when::RedirectWhen;
pub use when::{RedirectAction, RedirectHop};

/// The redirects that change the method to GET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rewrite {
    /// Only 303, as in urllib3.
    #[default]
    SeeOther,
    /// Also 301 and 302 after a POST, as in browsers (RFC 9110, sections 15.4.2 and 15.4.3).
    AlsoAfterPost,
}

impl Rewrite {
    /// Returns the rule for a client that keeps the method of a POST after 301 and 302, or does not.
    pub(crate) fn keeping(keep: bool) -> Rewrite {
        if keep { Rewrite::SeeOther } else { Rewrite::AlsoAfterPost }
    }
}

/// The redirects that a client follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) rewrite: Rewrite,
    /// From `https` to `http`, where others on the network can read the request.
    pub(crate) downgrade: bool,
    /// Only within the origin: the client has connections to no other.
    pub(crate) same_origin: bool,
    /// From a Unix socket to the network, where another server may listen.
    pub(crate) off_socket: bool,
    /// To the schemes of WebSockets, which count as those of HTTP. The request is a handshake.
    pub(crate) websocket: bool,
}

/// The request that a response redirects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redirected<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    /// The value of the Host field that was sent.
    pub(crate) host: &'a [u8],
}

/// The differences of the next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) url: Url,
    /// The next request is a GET without a body.
    pub(crate) to_get: bool,
    /// Scheme, host or port differ.
    pub(crate) cross_origin: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The response does not redirect, or names no target. It is the answer.
    Stay,
    Follow(Plan),
    Refuse(&'static str),
    /// The redirect leads to this origin, and the client only serves another.
    Leaves(Arc<Origin>),
}

/// Returns whether a client follows this status by itself.
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Returns the Locations that are not empty. Some servers send an empty one if there is no target.
pub(crate) fn locations(headers: &Headers) -> impl Iterator<Item = &[u8]> {
    headers.values("location").filter(|location| !location.trim_ascii().is_empty())
}

/// Decides what a response to this request leads to.
pub(crate) fn decide(request: Redirected<'_>, status: StatusCode, headers: &Headers, rules: Rules) -> Decision {
    let Redirected { method, url, host } = request;
    if !is_redirect(status) {
        return Decision::Stay;
    }
    let mut locations = locations(headers);
    let Some(location) = locations.next() else { return Decision::Stay };
    if locations.any(|other| other != location) {
        return Decision::Refuse("two Locations differ");
    }
    let location = text(location);
    let location = if rules.websocket { as_http(&location) } else { location.into() };
    let next = match join(url, host, &location) {
        Ok(next) => inherit_fragment(next, url),
        Err(InvalidUrl::NoHost) => return Decision::Refuse("the Location has an empty host"),
        // An absolute URL without `//` is reported as one without a scheme.
        Err(InvalidUrl::UnsupportedScheme | InvalidUrl::NoScheme) => {
            return Decision::Refuse("it leads to another scheme than http(s)");
        }
        Err(_) => return Decision::Refuse("the Location is no URL"),
    };
    let (from, to) = (url.origin(), next.origin());
    let cross_origin = from != to;
    if cross_origin && rules.same_origin {
        return Decision::Leaves(next.shared_origin().clone());
    }
    if cross_origin && to.kind().is_unix() {
        return Decision::Refuse("it leads to a local socket");
    }
    if cross_origin && from.kind().is_unix() && !rules.off_socket {
        return Decision::Refuse("it leads from a local socket to the network");
    }
    if from.kind().is_encrypted() && !to.kind().is_encrypted() && !rules.downgrade {
        return Decision::Refuse("it leads from https to http");
    }
    Decision::Follow(Plan { url: next, to_get: becomes_get(method, status, rules.rewrite), cross_origin })
}

/// Resolves a Location against the URL of the request.
///
/// A server at a Unix socket only knows the Host that it was sent: nginx answers `Host: localhost` with
/// `Location: http://localhost/path`. That is the same origin, reached through the same socket.
fn join(url: &Url, host: &[u8], location: &str) -> Result<Url, InvalidUrl> {
    let seen_by_the_server = || {
        let kind = url.origin().kind();
        let host = std::str::from_utf8(host).ok().filter(|_| kind.is_unix())?;
        let scheme = if kind.is_encrypted() { "https" } else { "http" };
        let origin = Url::parse(&format!("{scheme}://{host}/")).ok()?;
        url.at(origin.shared_origin()).ok()
    };
    let Some(seen) = seen_by_the_server() else { return url.join(location) };
    let next = seen.join(location)?;
    if next.origin() == seen.origin() { next.at(url.shared_origin()) } else { Ok(next) }
}

/// Asks the caller's function about a redirect that the rules allow. Without a function the redirect is followed.
pub(crate) fn ask(when: Option<&RedirectWhen>, hop: &RedirectHop<'_>) -> RedirectAction {
    when.map_or(RedirectAction::Follow, |when| when.ask(hop))
}

fn becomes_get(method: &Method, status: StatusCode, rewrite: Rewrite) -> bool {
    match status.as_u16() {
        303 => *method != Method::HEAD,
        301 | 302 => rewrite == Rewrite::AlsoAfterPost && *method == Method::POST,
        _ => false,
    }
}

/// Returns a reference from a field as text. By the grammar it is ASCII, but some servers send UTF-8. In a reference
/// that is not UTF-8 the bytes above 0x7F are percent-encoded, as in browsers.
pub(crate) fn text(location: &[u8]) -> String {
    match std::str::from_utf8(location) {
        Ok(text) => text.to_owned(),
        Err(_) => location.iter().fold(String::new(), |mut text, &byte| {
            match byte.is_ascii() {
                true => text.push(char::from(byte)),
                false => text.push_str(&format!("%{byte:02X}")),
            }
            text
        }),
    }
}

/// Adds the fragment of the redirected URL to a Location without one (RFC 9110, section 10.2.2).
fn inherit_fragment(next: Url, url: &Url) -> Url {
    match (next.fragment(), url.fragment()) {
        (None, Some(fragment)) => next.join(&format!("#{fragment}")).unwrap_or(next),
        _ => next,
    }
}

/// Fields that identify the caller. They are sent to no other origin, in any copy, unless the caller trusts it.
const CREDENTIALS: [&str; 6] =
    ["authorization", "cookie", "cookie2", "proxy-authorization", "www-authenticate", "proxy-authenticate"];

/// Fields about one host or one page. They are wrong at another origin.
const OF_THE_ORIGIN: [&str; 3] = ["host", "origin", "referer"];

/// Fields that describe a body or how it is sent, besides those that begin with `Content-` (RFC 9110, section 15.4).
const OF_THE_BODY: [&str; 5] = ["digest", "repr-digest", "last-modified", "transfer-encoding", "expect"];

/// Returns whether fields with this name identify the caller.
pub(crate) fn is_credential(name: &str) -> bool {
    CREDENTIALS.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Returns whether fields with this name are about one host or one page.
pub(crate) fn is_of_the_origin(name: &str) -> bool {
    OF_THE_ORIGIN.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Returns whether fields with this name describe a body.
pub(crate) fn is_of_the_body(name: &str) -> bool {
    let front = name.get(.."content-".len());
    front.is_some_and(|front| front.eq_ignore_ascii_case("content-"))
        || OF_THE_BODY.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Removes all fields that describe a body.
pub(crate) fn forget_body(headers: &mut Headers) {
    headers.remove_where(|_, name| is_of_the_body(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Rules = Rules {
        rewrite: Rewrite::AlsoAfterPost,
        downgrade: false,
        same_origin: false,
        off_socket: false,
        websocket: false,
    };

    fn decided(url: &str, method: &str, status: u16, locations: &[&[u8]], rules: Rules) -> Decision {
        decided_for("localhost", url, method, status, locations, rules)
    }

    fn decided_for(host: &str, url: &str, method: &str, status: u16, locations: &[&[u8]], rules: Rules) -> Decision {
        let mut headers = Headers::new();
        for location in locations {
            headers.append("Location", location).unwrap();
        }
        let status = StatusCode::from_u16(status).unwrap();
        let (url, method) = (Url::parse(url).unwrap(), method.parse().unwrap());
        decide(Redirected { method: &method, url: &url, host: host.as_bytes() }, status, &headers, rules)
    }

    /// The URL that a Location leads to, or why not.
    fn leads(url: &str, location: &str) -> Result<String, &'static str> {
        match decided(url, "GET", 302, &[location.as_bytes()], SESSION) {
            Decision::Follow(plan) => Ok(plan.url.as_str().to_owned()),
            Decision::Refuse(why) => Err(why),
            Decision::Stay | Decision::Leaves(_) => Err("stays"),
        }
    }

    #[test]
    fn where_it_leads() {
        let (no_url, scheme) = ("the Location is no URL", "it leads to another scheme than http(s)");
        let empty = "the Location has an empty host";
        let table = [
            ("B106", "/c?d", Ok("http://h/c?d")),
            ("B106 relative", "c", Ok("http://h/a/c")),
            ("B110", "/c#part", Ok("http://h/c#part")),
            ("B119", "/%2f%zz%20", Ok("http://h/%2f%zz%20")),
            ("B107 ftp", "ftp://h/", Err(scheme)),
            ("A1.19 file", "file:///etc/passwd", Err(scheme)),
            ("A1.19 data", "data:,x", Err(scheme)),
            ("A1.19 javascript", "javascript:alert(1)", Err(scheme)),
            ("A1.19 unix", "unix:/run/docker.sock", Err(scheme)),
            ("A1.19 http+unix", "http+unix://%2Frun%2Fdocker.sock/", Err("it leads to a local socket")),
            ("A1.20 //", "//evil/x", Ok("http://evil/x")),
            ("A1.20 ///", "///evil", Err(empty)),
            ("an empty authority", "http:///evil", Err(empty)),
            ("an empty authority of another scheme", "https:/evil", Err(empty)),
            ("a path with a scheme", "http:/x", Ok("http://h/x")),
            ("A1.20 /\\", "/\\evil", Ok("http://evil")),
            ("A1.20 \\\\", "\\\\evil", Ok("http://evil")),
            ("A1.20 http:evil", "http:evil", Ok("http://h/a/evil")),
            ("A1.20 ?q", "?q", Ok("http://h/a/b?q")),
            ("RW-18 empty", "", Err("stays")),
            ("RW-18 blank", " \t", Err("stays")),
            ("no host", "http://", Err(empty)),
            ("port", "http://h:99999/", Err(no_url)),
            ("numeric host", "http://0x7f.1/", Err(no_url)),
            ("A1.22", "/a%0d%0ab", Ok("http://h/a%0d%0ab")),
            ("B116", "http://u:p@h/", Ok("http://u:p@h/")),
        ];
        for (row, location, expected) in table {
            assert_eq!(leads("http://h/a/b?x", location), expected.map(str::to_owned), "{row}");
        }
        assert_eq!(leads("http://h/a#part", "/b").unwrap(), "http://h/b#part");
        assert_eq!(leads("http://h/a#part", "/b#own").unwrap(), "http://h/b#own");
        assert_eq!(leads("http+unix://%2Fs/a", "/b").unwrap(), "http+unix://%2Fs/b");
    }

    #[test]
    fn locations_that_are_no_text() {
        let Decision::Follow(plan) = decided("http://h/", "GET", 302, &[b"/caf\xe9"], SESSION) else { panic!() };
        assert_eq!(plan.url.target(), "/caf%E9");
        let Decision::Follow(plan) = decided("http://h/", "GET", 302, &["/café".as_bytes()], SESSION) else {
            panic!()
        };
        assert_eq!(plan.url.target(), "/caf%C3%A9");
    }

    #[test]
    fn how_many_locations() {
        assert_eq!(decided("http://h/", "GET", 302, &[], SESSION), Decision::Stay);
        let refused = Decision::Refuse("two Locations differ");
        assert_eq!(decided("http://h/", "GET", 302, &[b"/a", b"/b"], SESSION), refused, "A1.23");
        let table: [(&str, &[&[u8]], bool); 5] = [
            ("A1.23 twice the same", &[b"/a", b"/a"], true),
            ("RW-60 empty first", &[b"", b"/a"], true),
            ("RW-60 empty last", &[b"/a", b""], true),
            ("RW-60 empty between", &[b"/a", b"", b"/a"], true),
            ("RW-60 all empty", &[b"", b" "], false),
        ];
        for (row, locations, followed) in table {
            let decision = decided("http://h/", "GET", 302, locations, SESSION);
            assert_eq!(matches!(decision, Decision::Follow(_)), followed, "{row}: {decision:?}");
            assert!(followed || decision == Decision::Stay, "{row}: {decision:?}");
        }
    }

    #[test]
    fn methods() {
        let pools = Rules { rewrite: Rewrite::SeeOther, ..SESSION };
        let table = [
            ("B94 301", 301, "POST", Some(true), Some(false)),
            ("B94 302", 302, "POST", Some(true), Some(false)),
            ("B97 301 PUT", 301, "PUT", Some(false), Some(false)),
            ("B97 302 DELETE", 302, "DELETE", Some(false), Some(false)),
            ("302 HEAD", 302, "HEAD", Some(false), Some(false)),
            ("B95 POST", 303, "POST", Some(true), Some(true)),
            ("B95 PUT", 303, "PUT", Some(true), Some(true)),
            ("B95 HEAD", 303, "HEAD", Some(false), Some(false)),
            ("B95 GET, which may have a body", 303, "GET", Some(true), Some(true)),
            ("B98 307", 307, "POST", Some(false), Some(false)),
            ("B98 308", 308, "POST", Some(false), Some(false)),
            ("300", 300, "GET", None, None),
            ("304", 304, "GET", None, None),
            ("305", 305, "GET", None, None),
            ("200", 200, "GET", None, None),
        ];
        for (row, status, method, session, pool) in table {
            let to_get = |rules| match decided("http://h/", method, status, &[b"/x"], rules) {
                Decision::Follow(plan) => Some(plan.to_get),
                _ => None,
            };
            assert_eq!((to_get(SESSION), to_get(pools)), (session, pool), "{row}");
        }
    }

    #[test]
    fn origins() {
        let downgrade = Rules { downgrade: true, ..SESSION };
        let off_socket = Rules { off_socket: true, ..SESSION };
        let table = [
            ("same", "http://h/", "http://h/x", SESSION, Some(false)),
            ("same, port named", "http://h/", "http://H:80/x", SESSION, Some(false)),
            ("A1.1 refused", "https://h/", "http://h/", SESSION, None),
            ("A1.1 allowed", "https://h/", "http://h/", downgrade, Some(true)),
            ("A1.3", "http://h:1/", "http://h:2/", SESSION, Some(true)),
            ("A1.4", "http://h/", "https://h/", SESSION, Some(true)),
            ("A1.5", "http://a/", "http://sub.a/", SESSION, Some(true)),
            ("RW-29 off the socket, refused", "http+unix://%2Fs/", "http://h/", SESSION, None),
            ("RW-29 off the socket, allowed", "http+unix://%2Fs/", "http://h/", off_socket, Some(true)),
        ];
        for (row, from, to, rules, expected) in table {
            let cross = match decided(from, "GET", 302, &[to.as_bytes()], rules) {
                Decision::Follow(plan) => Some(plan.cross_origin),
                _ => None,
            };
            assert_eq!(cross, expected, "{row}");
        }
    }

    /// RW-29: where a server at a Unix socket leads, which knows itself by the Host that it was sent.
    #[test]
    fn at_a_socket() {
        let off = "it leads from a local socket to the network";
        let table = [
            ("nginx", "localhost", "http://localhost/index.html", Ok("http+unix://%2Fs/index.html")),
            ("its port", "localhost", "http://LOCALHOST:80/a?b#c", Ok("http+unix://%2Fs/a?b#c")),
            ("no path", "localhost", "http://localhost", Ok("http+unix://%2Fs")),
            ("a query alone", "localhost", "http://localhost?a", Ok("http+unix://%2Fs?a")),
            ("without a scheme", "localhost", "//localhost/a", Ok("http+unix://%2Fs/a")),
            ("a path", "localhost", "a", Ok("http+unix://%2Fs/v1/a")),
            ("a path with a scheme", "localhost", "http:/a", Ok("http+unix://%2Fs/a")),
            ("this socket by name", "localhost", "http+unix://%2Fs/a", Ok("http+unix://%2Fs/a")),
            ("a Host of the caller's", "docker:1234", "http://docker:1234/a", Ok("http+unix://%2Fs/a")),
            ("another port", "localhost", "http://localhost:81/", Err(off)),
            ("another scheme", "localhost", "https://localhost/", Err(off)),
            ("another host", "localhost", "http://localhost.evil/", Err(off)),
            ("loopback by address", "localhost", "http://127.0.0.1/", Err(off)),
            ("localhost, but another Host was sent", "docker", "http://localhost/", Err(off)),
            ("no scheme, another host", "localhost", "//evil/", Err(off)),
            ("another socket", "localhost", "http+unix://%2Fother/", Err("it leads to a local socket")),
            ("an empty host", "localhost", "http:///a", Err("the Location has an empty host")),
            ("a Host that is no authority", "a b", "http://localhost/", Err(off)),
            ("a Host that is no authority, and a path", "a b", "/a", Ok("http+unix://%2Fs/a")),
        ];
        for (row, host, location, expected) in table {
            let url = "http+unix://%2Fs/v1/x?y";
            let found = match decided_for(host, url, "POST", 307, &[location.as_bytes()], SESSION) {
                Decision::Follow(plan) => {
                    assert!(!plan.cross_origin && !plan.to_get, "{row}");
                    Ok(plan.url.as_str().to_owned())
                }
                Decision::Refuse(why) => Err(why),
                Decision::Stay | Decision::Leaves(_) => Err("stays"),
            };
            assert_eq!(found, expected.map(str::to_owned), "{row}");
        }
    }

    #[test]
    fn a_pool_of_one_host_stays_there() {
        let pool = Rules { same_origin: true, ..SESSION };
        let other = Url::parse("http://h:81/").unwrap().shared_origin().clone();
        assert_eq!(decided("http://h/", "GET", 302, &[b"http://h:81/"], pool), Decision::Leaves(other), "A1.12");
        assert!(matches!(decided("http://h/", "GET", 302, &[b"http://h:80/"], pool), Decision::Follow(_)));
    }
}
