//! URLs: what is accepted means the same to the `url` crate, and reads back; what is refused is refused for a reason.

use percent_encoding::percent_decode;

use super::input::Input;
use crate::urls::{InvalidUrl, Url};

pub fn url(data: &[u8]) {
    let mut input = Input::new(data);
    let text = String::from_utf8_lossy(input.rest());
    let mut theirs = ::url::Url::parse(&text);
    // The url crate knows no zones.
    if let Ok(ours) = Url::parse(&text)
        && ours.origin().zone().is_some()
    {
        theirs = Ok(::url::Url::from(&ours));
    }
    match Url::parse(&text) {
        Ok(ours) => accepted(&text, &ours, theirs.ok()),
        Err(error) => assert!(divergence(&text, error, &theirs).is_some(), "{text:?}: {error:?}, but {theirs:?}"),
    }
}

fn accepted(text: &str, ours: &Url, theirs: Option<::url::Url>) {
    let theirs = theirs.unwrap_or_else(|| panic!("{text:?} is none for the url crate"));
    let origin = ours.origin();
    assert_eq!(origin.scheme(), theirs.scheme(), "{text:?}");
    if origin.port().is_some() {
        assert_eq!(Some(origin.host()), theirs.host_str(), "{text:?}");
        assert_eq!(origin.port(), theirs.port_or_known_default(), "{text:?}");
    }
    assert_eq!(::url::Url::from(ours), theirs, "{text:?}");
    is_unambiguous(text, &theirs);
    // Credentials are not shown; all else reads back.
    let again = Url::parse(&ours.to_string()).unwrap_or_else(|error| panic!("{ours} reads back as {error:?}"));
    assert_eq!(again.to_string(), ours.to_string());
    assert_eq!((again.origin(), again.target(), again.fragment()), (origin, ours.target(), ours.fragment()));
    assert_eq!(again.userinfo(), None);
    is_sendable(ours);
}

/// Nothing that other clients take for another host or port.
fn is_unambiguous(text: &str, theirs: &::url::Url) {
    let authority = authority(text);
    assert!(!authority.bytes().any(|byte| byte <= b' ' || byte == b'\\'), "{text:?}");
    assert!(authority.matches('@').count() <= 1, "{text:?}");
    assert_ne!(theirs.port(), Some(0), "{text:?}");
    if let Some(::url::Host::Ipv4(address)) = theirs.host() {
        let host = authority.rsplit('@').next().unwrap_or_default().split(':').next();
        assert_eq!(host, Some(&*address.to_string()), "{text:?}");
    }
}

/// What stands between the slashes and the path, as it was written.
fn authority(text: &str) -> &str {
    let rest = text.trim_matches(|c| c <= ' ').split_once(':').map_or("", |(_, rest)| rest);
    rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default()
}

/// The target is legal on the wire (RFC 9112, section 3.2), and says what was written.
fn is_sendable(ours: &Url) {
    let target = ours.target();
    assert!(target.starts_with('/'), "{target:?}");
    assert!(target.bytes().all(|byte| (0x21..=0x7E).contains(&byte) && byte != b'#'), "{target:?}");
    let shown = ours.to_string();
    let written = &shown[ours.origin().to_string().len()..];
    let written = written.split('#').next().unwrap_or_default();
    let slash = if written.starts_with('/') { "" } else { "/" };
    let decoded = |text: &str| percent_decode(text.as_bytes()).collect::<Vec<u8>>();
    assert_eq!(decoded(&target), decoded(&[slash, written].concat()));
}

/// Every class of text that this client refuses though the `url` crate takes it, and why; `None` where both have to
/// agree and do not.
fn divergence(text: &str, error: InvalidUrl, theirs: &Result<::url::Url, ::url::ParseError>) -> Option<&'static str> {
    let Ok(theirs) = theirs else { return Some("refused by both") };
    let authority = authority(text);
    let repaired = |byte: u8| byte <= b' ' || byte == b'\\';
    let (justified, why) = match error {
        InvalidUrl::TooLong => (text.len() > 64 * 1024, "no server takes it"),
        InvalidUrl::NoScheme => {
            (text.contains(['\t', '\n', '\r']), "the url crate drops tabs and line ends, also inside the scheme")
        }
        InvalidUrl::UnsupportedScheme => (!["http", "https"].contains(&theirs.scheme()), "another protocol"),
        InvalidUrl::NumericHost => (
            matches!(theirs.host(), Some(::url::Host::Ipv4(_))),
            "others read it as octal, as hexadecimal, or as a name",
        ),
        InvalidUrl::Authority => (
            authority.bytes().any(repaired) || authority.matches('@').count() > 1,
            "others do not repair it, or cut it at the first @",
        ),
        InvalidUrl::Port => (theirs.port() == Some(0), "nobody listens there"),
        InvalidUrl::SocketPath
        | InvalidUrl::SocketPathNul
        | InvalidUrl::SocketPathUtf8
        | InvalidUrl::SocketPathTooLong => (theirs.scheme().ends_with("+unix"), "an opaque host, which here is a path"),
        InvalidUrl::NoHost => {
            let rest = text.split_once(':').map_or("", |(_, rest)| rest);
            let slashes = rest.bytes().take_while(|&byte| byte == b'/').count();
            (slashes != 2, "RFC 3986 reads an empty host, the url crate passes over slashes")
        }
        InvalidUrl::ControlCharacter => {
            let text = text.trim_matches([' ', '\t', '\r', '\n']);
            let is_control = |c: char| c.is_ascii_control();
            (text.starts_with(is_control) || text.ends_with(is_control), "the url crate drops them around a URL")
        }
        InvalidUrl::Host | InvalidUrl::Target => return None,
    };
    justified.then_some(why)
}
