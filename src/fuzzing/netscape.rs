//! Files of cookies in the Netscape format: each line is read as if it were alone, and what is kept is written so that it
//! reads back.

use super::input::Input;
use crate::cookies::{Cookie, CookieJar};
use crate::error::Result;
use crate::urls::Url;

const URLS: [&str; 10] = [
    "https://www.example.com/a/b",
    "https://www.example.com",
    "http://example.com/a",
    "http://a.github.io/",
    "http://127.0.0.1/x y/",
    "http://[::1]/\u{e9}/",
    "http+unix://%2Frun%2FApp.sock/a/b",
    "http+unix://app.sock/",
    "http://.example.com/",
    "http://$.example.com/",
];
const ATTRIBUTES: [&str; 10] = [
    "Secure",
    "HttpOnly",
    "Path=/",
    "Path=/a\tb",
    "Path=/\u{e9} x",
    "Domain=example.com",
    "Domain=github.io",
    "Max-Age=99999999",
    "SameSite=lax",
    "Max-Age=0",
];

pub fn netscape(data: &[u8]) {
    let mut input = Input::new(data);
    match input.flag() {
        true => is_kept(&mut input),
        false => lines_are_read_alone(input.rest()),
    }
}

/// Cookies of servers survive the file, but for what the format has no place for.
fn is_kept(input: &mut Input<'_>) {
    let jar = CookieJar::new();
    for _ in 0..32 {
        if input.is_empty() {
            break;
        }
        let url = Url::parse(input.pick(&URLS)).expect("the URLs are valid");
        let mut field = [input.bytes(6), b"=", input.bytes(12)].concat();
        for _ in 0..input.number(4) {
            field.extend_from_slice(b"; ");
            field.extend_from_slice(input.pick(&ATTRIBUTES).as_bytes());
        }
        let _ = jar.set_at(&url, &field, now());
    }
    jar.insert_shared("shared", "1").expect("the pair is valid");
    let cookies = jar.to_vec();
    let fits = |cookie: &&Cookie| {
        let path = cookie.path().unwrap_or_default().as_bytes();
        let is_host = |domain: &str| !domain.starts_with(['.', '$']);
        cookie.domain().is_some_and(is_host)
            && ![name(cookie).as_slice(), cookie.bytes(), path].concat().contains(&b'\t')
    };
    let expected: Vec<_> = cookies.iter().filter(fits).map(facts).collect();
    let (again, left_out) = read(&jar.to_netscape());
    assert_eq!(left_out.ok(), Some(0), "{cookies:?}");
    assert_eq!(again.to_vec().iter().map(facts).collect::<Vec<_>>(), expected);
}

/// Reads a file, and each of its lines in a file of its own.
fn lines_are_read_alone(text: &[u8]) {
    let (jar, left_out) = read(text);
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let (mut read_lines, mut bad) = (0, 0);
    for line in text.split(|&byte| byte == b'\n') {
        // A byte order mark belongs to the start of a file, which a line is not.
        let (alone, left_out) = read(&[b"#\n", line].concat());
        assert!(alone.len() + left_out.as_ref().map_or(1, |count| *count) <= 1, "{line:?}");
        match left_out {
            Ok(left_out) => (read_lines, bad) = (read_lines + 1, bad + left_out),
            Err(_) => bad += 1,
        }
        if let [cookie] = &alone.to_vec()[..] {
            assert!(cookie.domain().is_some() && cookie.path().is_some_and(|path| path.starts_with('/')), "{line:?}");
            assert!(!line.contains(&0) && cookie.same_site().is_none(), "{line:?}");
        }
    }
    match left_out {
        Ok(left_out) => assert_eq!(left_out, bad, "{:?}", text.escape_ascii().to_string()),
        Err(_) => assert!(jar.is_empty() && bad > 0, "{:?}", text.escape_ascii().to_string()),
    }
    assert!(jar.len() <= read_lines);
    let (again, left_out) = read(&jar.to_netscape());
    assert_eq!((again.to_vec(), left_out.ok()), (jar.to_vec(), Some(0)));
}

fn read(text: &[u8]) -> (CookieJar, Result<usize>) {
    let jar = CookieJar::new();
    let left_out = jar.add_netscape(text);
    (jar, left_out)
}

/// The file is read by the real clock.
fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// What the format has a place for.
fn facts(cookie: &Cookie) -> impl PartialEq + std::fmt::Debug + use<> {
    let place = (cookie.domain().map(str::to_owned), cookie.path().map(str::to_owned), cookie.host_only());
    (name(cookie), cookie.bytes().to_vec(), place, cookie.expires(), cookie.secure(), cookie.http_only())
}

/// Returns the bytes of a name. One that is not UTF-8 is shown as ISO-8859-1.
fn name(cookie: &Cookie) -> Vec<u8> {
    match cookie.name() {
        std::borrow::Cow::Borrowed(name) => name.into(),
        std::borrow::Cow::Owned(name) => name.chars().map(|c| c as u8).collect(),
    }
}
