//! Writes the head of a request, with the fields that the client adds by itself.

use std::sync::LazyLock;

use http::{Method, Version};

use crate::auth::SharedScheme;
use crate::body::{Content, Extent};
use crate::client::policy::{Head, USER_AGENT};
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::coding;
use crate::h1::{RequestTarget, encode};
use crate::headers::{Header, Headers};
use crate::proxy::{PROXY_AUTHORIZATION, Proxy};
use crate::redirect;
use crate::response::MediaType;

/// The fields that are already set, a bit for each. One pass over the headers finds them, and saves 290 instructions of
/// a GET without headers of its own.
#[derive(Clone, Copy, Debug, Default)]
struct Given(u16);

/// The fields that a call adds to one of its requests, and the reasons to leave others out.
#[derive(Clone, Debug, Default)]
pub(in crate::client) struct HopFields {
    pub(in crate::client) authorization: Option<Vec<u8>>,
    pub(in crate::client) cookie: Option<Vec<u8>>,
    pub(in crate::client) proxy: Option<Box<ProxyFields>>,
    /// The scheme that authenticates the connection to the server.
    pub(in crate::client) scheme: Option<SharedScheme>,
    pub(in crate::client) left_out: LeftOut,
}

impl HopFields {
    /// Returns whether the connection may be authenticated in several rounds, by the server or by a proxy that forwards.
    #[inline]
    pub(in crate::client) fn has_rounds(&self) -> bool {
        self.scheme.is_some() || self.proxy.as_ref().is_some_and(|to| to.forwards && to.proxy.has_scheme())
    }

    /// Returns whether a proxy forwards the request.
    #[inline]
    pub(super) fn is_forwarded(&self) -> bool {
        self.proxy.as_ref().is_some_and(|proxy| proxy.forwards)
    }
}

/// What a request through a proxy has for the proxy.
#[derive(Clone, Debug)]
pub(in crate::client) struct ProxyFields {
    pub(in crate::client) proxy: Proxy,
    /// The request is sent to the proxy. Otherwise it goes through a tunnel, and has nothing for the proxy.
    pub(in crate::client) forwards: bool,
    /// The value of Proxy-Authorization.
    pub(in crate::client) authorization: Option<Vec<u8>>,
}

/// The reasons to leave fields out of a request. They come from earlier requests of its call.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::client) struct LeftOut {
    /// A redirect, a middleware or a hook has led to another origin than the caller named.
    pub(in crate::client) moved: bool,
    /// That origin, or one after it, is not trusted either.
    pub(in crate::client) crossed: bool,
    /// The request's headers replace the client's block.
    pub(in crate::client) replaced: bool,
    /// A redirect has removed the body. The client's fields about a body are left out, too.
    pub(in crate::client) bodiless: bool,
    /// A server has answered `Expect: 100-continue` with 417. The expectation is not sent again.
    pub(in crate::client) no_expect: bool,
    /// The request is for the proxy itself, as a CONNECT is. What identifies the caller to the server is left out.
    pub(in crate::client) for_proxy: bool,
}

/// The facts about a head that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SentHead {
    /// The request says that the connection ends with it.
    pub(super) close: bool,
    /// The request has an `Idempotency-Key`.
    pub(super) keyed: bool,
    /// The request asks for a 100 before its body.
    pub(super) expects: bool,
    /// The server gets the request past the proxies of the client: through a tunnel, or because a choice leads to it
    /// directly.
    past_proxy: bool,
}

/// Writes the head. Host comes first (RFC 9110, section 7.2), then the fields that the client adds, then the client's
/// fields that the request does not have, then the request's own.
pub(super) fn write(
    out: &mut Vec<u8>,
    target: RequestTarget<'_>,
    request: &Request,
    terms: Terms<'_>,
    hop: &HopFields,
) -> SentHead {
    let client = terms.head();
    // Most clients have no default fields, and looking for them costs two hundred instructions.
    let bare = client.is_bare();
    let mut given = Given::default();
    request.headers.iter().for_each(|field| given.note(field.name()));
    if !bare {
        default_fields(request, terms, hop).for_each(|field| given.note(field.name()));
    }
    // A field that is not to be added counts as set.
    terms.skipped().for_each(|name| given.note(name));
    let mut sent = SentHead { close: terms.closes(), ..SentHead::default() };
    encode::request_line(out, &request.method, target, request.version);
    if let RequestTarget::Authority(_) = target {
        // The Host of a CONNECT is its target (RFC 9112, section 3.2.3).
        let mut host = Vec::new();
        target.write(&mut host);
        encode::field(out, "Host", &host);
    } else if given.has(Given::HOST) {
        encode::field(out, "Host", host(request, terms, hop));
    } else {
        encode::field(out, "Host", request.url.origin().host_field().as_bytes());
    }
    // A scheme of several rounds needs the connection for the next one. This side closes it after the last.
    write_added(out, request, terms, hop, given, sent.close && !hop.has_rounds());
    if let Some(proxy) = &hop.proxy {
        write_for_proxy(out, request, terms, hop, proxy);
        sent.past_proxy = !proxy.forwards;
    } else if !bare || !request.headers.is_empty() {
        sent.past_proxy = terms.may_use_proxy();
    }
    // 100-continue must not be expected without a body, because there is nothing to hold back (RFC 9110,
    // section 10.1.1). HTTP/1.0 has no interim responses.
    let may_expect = !request.body.is_empty() && request.version != Version::HTTP_10 && !hop.left_out.no_expect;
    let kept = |field: &Header<'_>| may_expect || !is_expectation(field.name(), field.bytes());
    if !bare {
        let others = default_fields(request, terms, hop).filter(|field| !request.headers.contains(field.name()));
        others.filter(kept).for_each(|field| write_field(out, field.name(), field.bytes(), &mut sent));
    }
    for field in request.headers.iter().filter(kept) {
        write_field(out, field.name(), field.bytes(), &mut sent);
    }
    write_about_body(out, request, client, given);
    if request.expect && may_expect && !given.has(Given::EXPECT) {
        encode::field(out, "Expect", b"100-continue");
        sent.expects = true;
    }
    encode::end(out);
    sent
}

/// Writes the fields that the client adds, except those about the body.
#[inline]
fn write_added(out: &mut Vec<u8>, request: &Request, terms: Terms<'_>, hop: &HopFields, given: Given, closes: bool) {
    let client = terms.head();
    // No coding is asked for with a Range, because a part of a coded body cannot be decoded.
    let offers = client.offers_codings && !given.has(Given::RANGE) && terms.reading().decode;
    match given.has(Given::ACCEPT | Given::ACCEPT_ENCODING | Given::USER_AGENT) {
        false => out.extend_from_slice(&BLOCKS[usize::from(client.accept)][usize::from(offers)]),
        true => write_negotiation(out, client.accept, offers, given),
    }
    if let Some(authorization) = hop.authorization.as_ref().filter(|_| !given.has(Given::AUTHORIZATION)) {
        encode::field(out, "Authorization", authorization);
    }
    if let Some(cookie) = hop.cookie.as_ref().filter(|_| !given.has(Given::COOKIE)) {
        encode::field(out, "Cookie", cookie);
    }
    if closes && !given.has(Given::CONNECTION) {
        encode::field(out, "Connection", b"close");
    } else if request.version == Version::HTTP_10 && !given.has(Given::CONNECTION) {
        encode::field(out, "Connection", b"keep-alive");
    }
}

/// Writes the fields that a proxy gets which forwards the request: its own, as far as the request does not have them, and
/// its credentials.
#[cold]
fn write_for_proxy(out: &mut Vec<u8>, request: &Request, terms: Terms<'_>, hop: &HopFields, to: &ProxyFields) {
    if !to.forwards {
        return;
    }
    let is_given = |name: &str| {
        request.headers.contains(name)
            || default_fields(request, terms, hop).any(|field| field.name().eq_ignore_ascii_case(name))
    };
    let own = to.proxy.fields();
    let is_other = |field: &Header<'_>| !is_given(field.name()) && !is_added(field.name());
    own.iter().filter(is_other).for_each(|field| encode::field(out, field.name(), field.bytes()));
    if let Some(value) = &to.authorization
        && !is_given(PROXY_AUTHORIZATION)
        && !own.contains(PROXY_AUTHORIZATION)
    {
        encode::field(out, PROXY_AUTHORIZATION, value);
    }
}

/// Returns whether the client adds a field of this name to each request. That of a proxy is for its tunnels only.
fn is_added(name: &str) -> bool {
    ["user-agent", "accept-encoding", "accept"].iter().any(|added| name.eq_ignore_ascii_case(added))
}

/// The fields of `write_negotiation` where none of them is given, by `accept` and `offers`: one copy costs 200
/// instructions less than three fields.
static BLOCKS: LazyLock<[[Vec<u8>; 2]; 2]> = LazyLock::new(|| {
    [false, true].map(|accept| {
        [false, true].map(|offers| {
            let mut block = Vec::new();
            write_negotiation(&mut block, accept, offers, Given::default());
            block
        })
    })
});

/// Writes Accept, Accept-Encoding and User-Agent, as far as they are not given.
fn write_negotiation(out: &mut Vec<u8>, accept: bool, offers: bool, given: Given) {
    if accept && !given.has(Given::ACCEPT) {
        encode::field(out, "Accept", b"*/*");
    }
    if !given.has(Given::ACCEPT_ENCODING) {
        encode::field(out, "Accept-Encoding", if offers { coding::ACCEPTED.as_bytes() } else { b"identity" });
    }
    if !given.has(Given::USER_AGENT) {
        encode::field(out, "User-Agent", USER_AGENT.as_bytes());
    }
}

/// Writes the type, the coding and the framing of the body.
#[inline]
fn write_about_body(out: &mut Vec<u8>, request: &Request, client: &Head, given: Given) {
    if let Some(content_type) = content_type(request, client.content_type).filter(|_| !given.has(Given::CONTENT_TYPE)) {
        encode::field(out, "Content-Type", content_type.as_bytes());
    }
    if let Some(coding) = request.body.coding().filter(|_| !given.has(Given::CONTENT_ENCODING)) {
        encode::field(out, "Content-Encoding", coding.name().as_bytes());
    }
    match request.body.extent() {
        Extent::Unknown => encode::field(out, "Transfer-Encoding", b"chunked"),
        _ if given.has(Given::CONTENT_LENGTH) => {}
        Extent::Length(length @ 1..) => encode::number_field(out, "Content-Length", length),
        _ if has_body(&request.method) => encode::number_field(out, "Content-Length", 0),
        _ => {}
    }
}

/// Returns the value of the Host field that this request is sent with.
pub(in crate::client) fn host<'a>(request: &'a Request, terms: Terms<'a>, hop: &HopFields) -> &'a [u8] {
    let of_client = || default_fields(request, terms, hop).find(|field| field.name().eq_ignore_ascii_case("host"));
    let given = request.headers.get_bytes("host").or_else(|| of_client().map(|field| field.bytes()));
    given.unwrap_or(request.url.origin().host_field().as_bytes())
}

/// Returns the type of the body, for a request without a Content-Type. `adds_type` says whether a text and bytes get a
/// type.
fn content_type(request: &Request, adds_type: bool) -> Option<&str> {
    match (&request.content_type, request.body.content()) {
        (Some(content_type), _) => Some(content_type),
        _ if !adds_type || request.body.is_empty() => None,
        (None, Content::Text) => Some("text/plain; charset=utf-8"),
        (None, Content::Form) => Some("application/x-www-form-urlencoded"),
        (None, Content::Bytes) => Some("application/octet-stream"),
    }
}

/// Returns whether a field of this name is sent with the request.
pub(in crate::client) fn sends(terms: Terms<'_>, request: &Request, left_out: LeftOut, name: &str) -> bool {
    let hop = HopFields { left_out, ..HopFields::default() };
    request.headers.contains(name)
        || default_fields(request, terms, &hop).any(|field| field.name().eq_ignore_ascii_case(name))
}

/// Returns the client's default fields for this request, without those that another origin must not see and those that
/// something else in the call replaces.
#[inline]
pub(super) fn default_fields<'a>(
    request: &'a Request,
    terms: Terms<'a>,
    hop: &HopFields,
) -> impl Iterator<Item = Header<'a>> + use<'a> {
    let LeftOut { moved, crossed, replaced, bodiless, for_proxy, .. } = hop.left_out;
    // Digest credentials send nothing before a challenge. Even then the client's header must not take their place.
    let authorized = hop.authorization.is_some() || terms.own_auth().is_some();
    let typed = gives_its_type(request, terms, replaced);
    let fields = terms.head().fields(!replaced).filter(move |(headers, field)| {
        let other = authorized && field.name().eq_ignore_ascii_case("authorization");
        let gone = bodiless && redirect::is_of_the_body(field.name())
            || typed && field.name().eq_ignore_ascii_case("content-type");
        let behind = moved && terms.stays_behind(headers, field.name(), !crossed)
            || for_proxy && is_for_the_server(terms, headers, field);
        !(other || gone || behind)
    });
    fields.map(|(_, field)| field)
}

/// Returns whether the field is for the server at the end of a tunnel, and not for the proxy that opens it.
#[cold]
fn is_for_the_server(terms: Terms<'_>, headers: &Headers, field: &Header<'_>) -> bool {
    terms.stays_behind(headers, field.name(), false) && !field.name().eq_ignore_ascii_case(PROXY_AUTHORIZATION)
}

/// Returns whether the type of the body replaces the client's default. No server reads a form under another type, or
/// without its boundary. A default that names the same type is kept, because it may say more.
fn gives_its_type(request: &Request, terms: Terms<'_>, replaced: bool) -> bool {
    let Some(own) = request.content_type.as_deref() else { return false };
    let mut defaults = terms.head().fields(!replaced).map(|(_, field)| field);
    let Some(default) = defaults.find(|field| field.name().eq_ignore_ascii_case("content-type")) else { return false };
    if terms.skipped().any(|name| name.eq_ignore_ascii_case("content-type")) {
        return false;
    }
    let Some(own) = MediaType::parse(own.as_bytes()) else { return false };
    let default = MediaType::parse(default.bytes());
    match own.kind() {
        "multipart" => true,
        // The caller asked only for a charset, so a default type is kept.
        "text" => false,
        _ => default.is_none_or(|other| own.essence() != other.essence() && !(own.is_json() && other.is_json())),
    }
}

/// Returns whether the field asks for a 100.
fn is_expectation(name: &str, value: &[u8]) -> bool {
    name.eq_ignore_ascii_case("expect") && value.trim_ascii().eq_ignore_ascii_case(b"100-continue")
}

/// Writes one field, and notes what it says about the connection, the key and the expectation. Host and the framing are
/// written elsewhere.
fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8], sent: &mut SentHead) {
    match name.len() {
        4 if name.eq_ignore_ascii_case("host") => return,
        6 if is_expectation(name, value) => sent.expects = true,
        10 if name.eq_ignore_ascii_case("connection") => {
            sent.close |=
                value.split(|&byte| byte == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"));
        }
        15 if name.eq_ignore_ascii_case("idempotency-key") => sent.keyed = true,
        17 if name.eq_ignore_ascii_case("x-idempotency-key") => sent.keyed = true,
        // The caller may ask for chunks by this field. `write_about_body` writes it.
        17 if name.eq_ignore_ascii_case("transfer-encoding") => return,
        // The server must not see what is for the proxy.
        19 if sent.past_proxy && name.eq_ignore_ascii_case(PROXY_AUTHORIZATION) => return,
        _ => {}
    }
    encode::field(out, name, value);
}

/// Returns whether the method expects content. A request of such a method without content says so by a length of 0
/// (RFC 9110, section 8.6).
fn has_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

impl Given {
    const HOST: u16 = 1;
    const USER_AGENT: u16 = 1 << 1;
    const ACCEPT: u16 = 1 << 2;
    const ACCEPT_ENCODING: u16 = 1 << 3;
    const RANGE: u16 = 1 << 4;
    const AUTHORIZATION: u16 = 1 << 5;
    const CONTENT_TYPE: u16 = 1 << 6;
    const CONTENT_LENGTH: u16 = 1 << 7;
    const CONTENT_ENCODING: u16 = 1 << 8;
    const CONNECTION: u16 = 1 << 9;
    const EXPECT: u16 = 1 << 10;
    const COOKIE: u16 = 1 << 11;

    /// Returns whether one of these fields is set.
    fn has(self, fields: u16) -> bool {
        self.0 & fields != 0
    }

    /// Notes that a field of this name is set.
    fn note(&mut self, name: &str) {
        let known: &[(&str, u16)] = match name.len() {
            4 => &[("host", Given::HOST)],
            5 => &[("range", Given::RANGE)],
            6 => &[("accept", Given::ACCEPT), ("expect", Given::EXPECT), ("cookie", Given::COOKIE)],
            10 => &[("user-agent", Given::USER_AGENT), ("connection", Given::CONNECTION)],
            12 => &[("content-type", Given::CONTENT_TYPE)],
            13 => &[("authorization", Given::AUTHORIZATION)],
            14 => &[("content-length", Given::CONTENT_LENGTH)],
            15 => &[("accept-encoding", Given::ACCEPT_ENCODING)],
            16 => &[("content-encoding", Given::CONTENT_ENCODING)],
            _ => &[],
        };
        for (known, field) in known {
            if name.eq_ignore_ascii_case(known) {
                self.0 |= field;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::prepare::prepare;
    use super::*;
    use crate::body::Body;
    use crate::client::policy::Policy;
    use crate::error::Result;
    use crate::urls::Url;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn request(method: &str, headers: Fields<'_>, body: &str) -> Request {
        let mut request = Request::new(method.parse().unwrap(), Url::parse("http://h:8080/p?q#f").unwrap());
        for (name, value) in headers {
            request.headers.append(name, value).unwrap();
        }
        request.body = if body.is_empty() { Body::empty() } else { Body::from(body) };
        request
    }

    fn encoded(request: &Request, policy: &Policy) -> (String, SentHead) {
        let mut out = Vec::new();
        let terms = Terms::for_test(policy, request.options());
        let sent = write(&mut out, RequestTarget::Origin(&request.url), request, terms, &HopFields::default());
        (String::from_utf8(out).unwrap(), sent)
    }

    fn prepared(request: &mut Request, policy: &Policy) -> Result<()> {
        let own = request.options.clone();
        let route = crate::dial::Route::to(request.url.shared_origin());
        prepare(request, &route, Terms::for_test(policy, own.as_deref()))
    }

    const AGENT: &str = concat!("hostpool/", env!("CARGO_PKG_VERSION"));

    fn with(head: Head) -> Policy {
        Policy { head, ..Policy::default() }
    }

    #[test]
    fn what_is_added_and_where() {
        let agent = format!("User-Agent: {AGENT}\r\n");
        let auto = ["Accept-Encoding: identity\r\n", &agent].concat();
        let table: &[(&str, Fields<'_>, &str, String)] = &[
            ("GET", &[], "", ["Host: h:8080\r\n", &auto].concat()),
            ("POST", &[], "", ["Host: h:8080\r\n", &auto, "Content-Length: 0\r\n"].concat()),
            ("PUT", &[], "body", ["Host: h:8080\r\n", &auto, "Content-Length: 4\r\n"].concat()),
            ("GET", &[], "body", ["Host: h:8080\r\n", &auto, "Content-Length: 4\r\n"].concat()),
            ("GET", &[("X-A", "1"), ("hOst", "other")], "", ["Host: other\r\n", &auto, "X-A: 1\r\n"].concat()),
            (
                "GET",
                &[("user-agent", "me")],
                "",
                "Host: h:8080\r\nAccept-Encoding: identity\r\nuser-agent: me\r\n".into(),
            ),
            (
                "GET",
                &[("Accept-Encoding", "gzip")],
                "",
                ["Host: h:8080\r\n", &agent, "Accept-Encoding: gzip\r\n"].concat(),
            ),
            ("PUT", &[("content-length", "4")], "body", ["Host: h:8080\r\n", &auto, "content-length: 4\r\n"].concat()),
        ];
        for (method, headers, body, expected) in table {
            let mut request = request(method, headers, body);
            prepared(&mut request, &Policy::default()).unwrap();
            let (text, _) = encoded(&request, &Policy::default());
            assert_eq!(text, format!("{method} /p?q HTTP/1.1\r\n{expected}\r\n"));
        }
    }

    #[test]
    fn the_requests_own_fields_replace_the_clients() {
        let mut policy = with(Head { accept: true, ..Head::default() });
        for (name, value) in [("X-A", "client"), ("X-B", "client"), ("Accept", "text/html")] {
            policy.head.headers.append(name, value).unwrap();
        }
        let (text, _) = encoded(&request("GET", &[("x-a", "own")], ""), &policy);
        assert!(text.ends_with("X-B: client\r\nAccept: text/html\r\nx-a: own\r\n\r\n"), "{text}");
        assert!(!text.contains("*/*"));
    }

    #[test]
    fn what_the_client_learns_from_the_fields() {
        let table: &[(Fields<'_>, bool, bool)] = &[
            (&[], false, false),
            (&[("Connection", "close")], true, false),
            (&[("connection", "x, Close")], true, false),
            (&[("Connection", "closed")], false, false),
            (&[("Idempotency-Key", "1")], false, true),
        ];
        for (headers, close, keyed) in table {
            let (_, sent) = encoded(&request("GET", headers, ""), &Policy::default());
            assert_eq!(
                sent,
                SentHead { close: *close, keyed: *keyed, expects: false, past_proxy: false },
                "{headers:?}"
            );
        }
        let (text, sent) = encoded(&request("GET", &[], ""), &with(Head { close: true, ..Head::default() }));
        assert!(text.contains("Connection: close\r\n"));
        assert!(sent.close);
    }

    #[test]
    fn how_a_body_of_unknown_length_is_framed() {
        let unknown = || {
            let mut request = request("POST", &[], "");
            request.body = Body::reader(std::io::empty());
            request
        };
        let mut chunked = unknown();
        prepared(&mut chunked, &Policy::default()).unwrap();
        let (text, _) = encoded(&chunked, &Policy::default());
        assert!(text.ends_with("Transfer-Encoding: chunked\r\n\r\n") && !text.contains("Content-Length"), "{text}");

        let mut declared = unknown();
        declared.headers.append("Content-Length", "7").unwrap();
        prepared(&mut declared, &Policy::default()).unwrap();
        let (text, _) = encoded(&declared, &Policy::default());
        assert!(text.ends_with("Content-Length: 7\r\n\r\n") && !text.contains("chunked"), "{text}");
        assert_eq!(declared.body.length(), Some(7));

        let mut old = unknown();
        old.version = Version::HTTP_10;
        assert!(prepared(&mut old, &Policy::default()).is_err());
    }

    /// A name, fields, a body, its known type, and the Content-Type that a session and a pool send.
    type Said<'a> = (&'a str, Fields<'a>, Body, Option<&'static str>, Option<&'a str>, Option<&'a str>);

    #[test]
    fn what_the_body_is_said_to_be() {
        let (text, bytes) = ("text/plain; charset=utf-8", "application/octet-stream");
        let form = "application/x-www-form-urlencoded";
        let table: [Said<'_>; 8] = [
            ("B58 text", &[], Body::from("x"), None, Some(text), None),
            ("B58", &[], Body::from(b"x"), None, Some(bytes), None),
            ("B58 a reader", &[], Body::reader(std::io::empty()), None, Some(bytes), None),
            ("B59", &[], Body::form("a=b".into()), Some(form), Some(form), Some(form)),
            ("B59 by hand", &[], Body::form("a=b".into()), None, Some(form), None),
            ("B56", &[], Body::empty(), None, None, None),
            ("no bytes", &[], Body::from(""), None, None, None),
            ("B61", &[("Content-Type", "a/b")], Body::from("x"), None, Some("a/b"), Some("a/b")),
        ];
        for (row, headers, body, known, of_a_session, of_a_pool) in table {
            let request = Request { body, content_type: known.map(Into::into), ..request("POST", headers, "") };
            for (content_type, expected) in [(true, of_a_session), (false, of_a_pool)] {
                let mut policy = with(Head { content_type, ..Head::default() });
                let value = |text: &str| {
                    let mut values = text.lines().filter_map(|line| line.strip_prefix("Content-Type: "));
                    (values.next().map(str::to_owned), values.count())
                };
                let (text, _) = encoded(&request, &policy);
                assert_eq!(value(&text), (expected.map(str::to_owned), 0), "{row}");
                policy.head.skip.push("content-type".into());
                let own = request.headers.get("Content-Type").map(str::to_owned);
                assert_eq!(value(&encoded(&request, &policy).0), (own, 0), "{row}, skipped");
            }
        }
    }

    /// B73: chunks that a header asks for are named once. An empty body has no chunks.
    #[test]
    fn chunks_by_a_header() {
        let asks = ("transfer-encoding", "Chunked");
        for (body, framed) in [("12345", "Transfer-Encoding: chunked\r\n"), ("", "Content-Length: 0\r\n")] {
            let mut request = request("POST", &[asks], body);
            prepared(&mut request, &Policy::default()).unwrap();
            let (text, _) = encoded(&request, &Policy::default());
            let framing: String = text
                .split_inclusive('\n')
                .filter(|line| line.contains("ncoding: c") || line.contains("Length"))
                .collect();
            assert_eq!(framing, framed);
            assert!(!text.contains("transfer-encoding"), "{text}");
        }
        let mut old = request("POST", &[asks], "12345");
        old.version = Version::HTTP_10;
        assert!(prepared(&mut old, &Policy::default()).is_err());
        let mut other = request("POST", &[("Content-Length", "5")], "12345");
        other.options_mut().chunking = crate::body::Chunking::Always;
        assert!(prepared(&mut other, &Policy::default()).is_err(), "A4.5 by an option");
    }

    #[test]
    fn asking_before_sending() {
        let asks = ("Expect", "100-continue");
        let table = [
            ("asked for", None, "body", true, (true, 1)),
            ("by a header", Some(asks), "body", false, (true, 1)),
            ("by both", Some(("expect", "100-Continue")), "body", true, (true, 1)),
            ("not asked for", None, "body", false, (false, 0)),
            ("no body", None, "", true, (false, 0)),
            ("no body, by a header", Some(asks), "", false, (false, 0)),
            ("something else", Some(("Expect", "gold")), "body", false, (false, 1)),
            ("HTTP/1.0", None, "body", true, (false, 0)),
        ];
        for (id, headers, body, expect, expected) in table {
            let mut request = request("POST", headers.as_slice(), body);
            request.expect = expect;
            if id == "HTTP/1.0" {
                request.version = Version::HTTP_10;
            }
            let (text, sent) = encoded(&request, &Policy::default());
            let lines = text.lines().filter(|line| line.to_ascii_lowercase().starts_with("expect:")).count();
            assert_eq!((sent.expects, lines), expected, "{id}: {text}");
        }
    }
}
