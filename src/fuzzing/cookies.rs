//! A cookie jar against the retrieval algorithm written down plainly, over a list of all its cookies.

use super::input::Input;
use crate::cookies::{Cookie, CookieJar, CookieRequest};
use crate::date::{self, ImfDate};
use crate::urls::Url;

const HOSTS: [&str; 12] = [
    "https://www.example.com",
    "http://www.example.com",
    "http://a.www.example.com",
    "https://example.com",
    "http://a.co.uk",
    "http://co.uk",
    "http://a.co.uk.",
    "http://127.0.0.1",
    "http://[::1]",
    "https://localhost",
    "http://localhost",
    "http+unix://www.example.com",
];
const PATHS: [&str; 6] = ["", "/a", "/a/", "/a/b?c", "/ab", "?/a"];
const NAMES: [&str; 7] = ["a", "b", "A", "__Host-a", "__secure-a", "a\t", ""];
const ATTRIBUTES: [&str; 24] = [
    "Secure",
    "HttpOnly",
    "Path=/",
    "Path=/a",
    "Path=/a/",
    "path = a",
    "Domain=example.com",
    "Domain=.WWW.example.com",
    "Domain=ample.com",
    "Domain=com",
    "Domain=co.uk",
    "Domain=a.co.uk.",
    "Domain=127.0.0.1",
    "Domain=0.0.1",
    "Domain=[::1]",
    "Domain=",
    "Max-Age=5",
    "Max-Age=0",
    "Max-Age=-99999999999999999999",
    "Max-Age=99999999999999999999",
    "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "Expires=Fri, 31-Dec-99 23:59:59 GMT",
    "SameSite=lax",
    "Secure=1; =; ;;",
];

/// 1 January 2020: what has an end is over by the real clock.
const START: i64 = 1_577_836_800;
const MAX_LIFE: i64 = 400 * 24 * 60 * 60;

/// Limits of the jar: cookies in all, cookies in a request, bytes of the field; and whether plain http to the own machine
/// counts as secure.
type Caps = (usize, usize, usize, bool);

pub fn cookies(data: &[u8]) {
    let mut input = Input::new(data);
    let is_small = input.flag();
    let (jar, caps) = match is_small {
        true => {
            let jar = CookieJar::builder().max_per_domain(3).max_cookies(5).max_sent(2).max_header_bytes(24);
            (jar.loopback_is_secure(false), (5, 2, 24, false))
        }
        false => (CookieJar::builder(), (3000, 150, 32 * 1024, true)),
    };
    let jar = jar.build();
    let mut now = START;
    for _ in 0..48 {
        if input.is_empty() {
            break;
        }
        let url = Url::parse(&[input.pick(&HOSTS), input.pick(&PATHS)].concat()).unwrap();
        match input.byte() % 8 {
            0..=3 => {
                let field = field(&mut input);
                set(&jar, &url, &field, now, caps);
            }
            4 => now += input.number(10) as i64,
            5 => {
                let _ = jar.insert_shared(input.pick(&NAMES), "s");
            }
            6 => {
                let wanted = input.byte();
                jar.retain(|cookie| cookie.bytes().len() != usize::from(wanted % 8));
            }
            _ => {
                jar.clear_domain(url.origin().host());
            }
        }
        assert!(jar.to_vec_at(now).iter().filter(|cookie| cookie.domain().is_some()).count() <= caps.0);
        for is_cross_origin in [false, true] {
            let all: Vec<(Cookie, u64)> = jar.to_vec_at(now).into_iter().zip(jar.uses_at(now)).collect();
            let header = jar.header_at(&CookieRequest::new(&url).cross_origin(is_cross_origin), now);
            assert_eq!(header, expected(&all, &url, is_cross_origin, caps), "{url} {jar:?}");
        }
    }
    survives_its_file(&jar);
}

/// What a server sends: anything, or something that means something.
fn field(input: &mut Input<'_>) -> Vec<u8> {
    if input.byte() >= 192 {
        let field = input.bytes(64).to_vec();
        read(&field);
        return field;
    }
    let name = input.pick(&NAMES);
    let mut field = [name.as_bytes(), b"=", input.bytes(8)].concat();
    for _ in 0..input.number(4) {
        field.extend_from_slice(b"; ");
        field.extend_from_slice(input.pick(&ATTRIBUTES).as_bytes());
    }
    field
}

/// No text is a date that does not read back, and none a cookie that could not be sent.
fn read(text: &[u8]) {
    if let Some(date) = date::parse(text) {
        assert_eq!(date::parse(ImfDate(date).to_string().as_bytes()), Some(date));
    }
    if let Ok(cookie) = Cookie::parse_bytes(text, std::time::UNIX_EPOCH) {
        is_sendable(&cookie);
        let path_is_one = cookie.path().is_none_or(|path| path.starts_with('/'));
        assert!(path_is_one && cookie.host_only() == cookie.domain().is_none(), "{cookie:?}");
    }
}

fn is_sendable(cookie: &Cookie) {
    assert!(!cookie.name().contains('='), "{cookie:?}");
    let value = cookie.value().to_ascii_lowercase();
    let is_named = !cookie.name().is_empty();
    assert!(
        is_named || !value.is_empty() && !value.starts_with("__host-") && !value.starts_with("__secure-"),
        "{cookie:?}"
    );
    assert!(!format!("{}{}", cookie.name(), cookie.value()).contains(';'), "{cookie:?}");
    assert!(cookie.name().chars().count() <= 4096 && cookie.bytes().len() <= 4096, "{cookie:?}");
}

/// Whether what is sent there is for the server's eyes alone.
fn is_secure(url: &Url, caps: Caps) -> bool {
    let origin = url.origin();
    let is_loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&origin.host());
    origin.scheme() == "https" || caps.3 && origin.scheme() == "http" && is_loopback
}

fn set(jar: &CookieJar, url: &Url, field: &[u8], now: i64, caps: Caps) {
    let before = jar.to_vec_at(now);
    let outcome = jar.set_at(url, field, now);
    let after = jar.to_vec_at(now);
    let is_secure = is_secure(url, caps);
    let new: Vec<&Cookie> = after.iter().filter(|cookie| !before.contains(cookie)).collect();
    assert!(new.len() <= usize::from(outcome.is_ok()), "{new:?}");
    for cookie in new {
        is_sendable(cookie);
        assert!(goes_to_host(cookie, url), "{url} {cookie:?}");
        assert!(is_secure || !cookie.secure(), "{url} {cookie:?}");
        is_for_no_suffix(cookie);
        let name = cookie.name().to_ascii_lowercase();
        assert!(cookie.secure() || !name.starts_with("__secure-") && !name.starts_with("__host-"), "{cookie:?}");
        assert!(!name.starts_with("__host-") || cookie.host_only() && cookie.path() == Some("/"), "{cookie:?}");
        let latest = std::time::UNIX_EPOCH + std::time::Duration::from_secs((now + MAX_LIFE) as u64);
        assert!(cookie.expires().is_none_or(|end| end <= latest), "{cookie:?}");
    }
    // Where nothing has to go for want of room, plain http leaves Secure cookies alone.
    if !is_secure && caps.0 > 5 {
        let lost = before.iter().find(|cookie| cookie.secure() && !after.contains(cookie));
        assert_eq!(lost, None, "{url}");
    }
}

fn is_for_no_suffix(cookie: &Cookie) {
    #[cfg(feature = "cookies")]
    assert!(
        cookie.host_only() || cookie.domain().is_some_and(|domain| psl::domain_str(domain).is_some()),
        "{cookie:?}"
    );
    #[cfg(not(feature = "cookies"))]
    assert!(cookie.host_only(), "{cookie:?}");
}

/// By labels, from the last to the first.
fn goes_to_host(cookie: &Cookie, url: &Url) -> bool {
    let origin = url.origin();
    let socket = (origin.scheme().ends_with("+unix")).then(|| origin.to_string());
    let host = socket.as_deref().unwrap_or(origin.host());
    let domain = cookie.domain().unwrap_or_default();
    if cookie.host_only() || socket.is_some() || origin.address().is_some() {
        return host == domain;
    }
    let mut labels = host.rsplit('.');
    domain.rsplit('.').all(|label| labels.next() == Some(label))
}

/// By segments; the last one of a directory may be empty.
fn is_below(path: &str, directory: &str) -> bool {
    let (mut path, mut directory) = (path.split('/'), directory.split('/').peekable());
    while let Some(segment) = directory.next() {
        let is_end = segment.is_empty() && directory.peek().is_none();
        match path.next() {
            Some(other) if is_end || other == segment => {}
            _ => return false,
        }
    }
    true
}

/// RFC 6265bis, section 5.8.3, over `all`, which is in order of creation, each with its last use.
fn expected(all: &[(Cookie, u64)], url: &Url, is_cross_origin: bool, caps: Caps) -> Option<Vec<u8>> {
    let target = url.target();
    let path = target.split('?').next().unwrap_or_default();
    let is_here = |(cookie, _): &&(Cookie, u64)| {
        goes_to_host(cookie, url)
            && is_below(path, cookie.path().unwrap_or_default())
            && (is_secure(url, caps) || !cookie.secure())
    };
    let (shared, own): (Vec<&(Cookie, u64)>, _) = all.iter().partition(|(cookie, _)| cookie.domain().is_none());
    let mut chosen: Vec<&(Cookie, u64)> = own.into_iter().filter(is_here).collect();
    chosen.sort_by_key(|(cookie, _)| std::cmp::Reverse(cookie.path().map_or(0, str::len)));
    let names: Vec<String> = chosen.iter().map(|(cookie, _)| cookie.name().into_owned()).collect();
    if !is_cross_origin {
        chosen.extend(shared.into_iter().filter(|(cookie, _)| !names.contains(&cookie.name().into_owned())));
    }
    // One at a time, the least lately used and then the newest, until the rest fits.
    let mut sent: Vec<(Vec<u8>, u64, usize)> = Vec::new();
    for (cookie, used) in chosen {
        let created = all.iter().position(|(other, _)| other == cookie).unwrap_or_default();
        sent.push((pair(cookie), *used, created));
    }
    sent.retain(|(pair, ..)| pair.len() <= caps.2);
    let len = |sent: &[(Vec<u8>, u64, usize)]| sent.iter().map(|(pair, ..)| pair.len() + 2).sum::<usize>();
    while sent.len() > caps.1 || len(&sent) > caps.2 + 2 {
        let first = (0..sent.len()).min_by_key(|&at| (sent[at].1, std::cmp::Reverse(sent[at].2)));
        sent.remove(first.expect("it is not empty"));
    }
    let pairs: Vec<Vec<u8>> = sent.into_iter().map(|(pair, ..)| pair).collect();
    let header = pairs.join(&b"; "[..]);
    assert!(header.iter().all(|&byte| byte == b'\t' || byte >= b' ' && byte != 0x7F));
    (!pairs.is_empty()).then_some(header)
}

/// Returns a cookie as it is sent. Names that are not UTF-8 are shown as ISO-8859-1.
fn pair(cookie: &Cookie) -> Vec<u8> {
    let name: Vec<u8> = match cookie.name() {
        std::borrow::Cow::Borrowed(name) => name.into(),
        std::borrow::Cow::Owned(name) => name.chars().map(|c| c as u8).collect(),
    };
    let equals: &[u8] = if name.is_empty() { b"" } else { b"=" };
    [&name, equals, cookie.bytes()].concat()
}

#[cfg(feature = "json")]
fn survives_its_file(jar: &CookieJar) {
    let again = CookieJar::from_json(&jar.to_json()).unwrap();
    assert_eq!(again.to_vec(), jar.to_vec());
}

#[cfg(not(feature = "json"))]
fn survives_its_file(_jar: &CookieJar) {}
