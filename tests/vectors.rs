//! Public conformance vectors: the folder that `HOSTPOOL_VECTORS` names, or nothing.
#![cfg(feature = "json")]

mod support;

use std::path::PathBuf;

use hostpool::{ConnectionPool, Error, InvalidUrl, Url};
use serde::Deserialize;
use support::{GIVE_UP, Server, Step};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    mode: String,
    raw_b64: String,
    statuses: Vec<u16>,
    headers: Vec<(String, String)>,
    body_b64: String,
    complete: usize,
    error: Option<serde_json::Value>,
}

/// A file of the folder, where there is one.
fn read<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
    let Some(folder) = std::env::var_os("HOSTPOOL_VECTORS").map(PathBuf::from) else {
        eprintln!("skipped: HOSTPOOL_VECTORS does not name a folder of vectors");
        return None;
    };
    let file = std::fs::read(folder.join(name)).expect("the folder has the file");
    Some(serde_json::from_slice(&file).expect("the file is of the form its notes describe"))
}

/// Where this client differs from llhttp's strict mode, and why; RFC 9112 decides.
const WAIVED: &[(&str, &str)] = &[
    ("llhttp-connection-5", "surplus behind a response is no error of that response: the connection is closed"),
    ("llhttp-connection-7", "the same"),
    ("llhttp-connection-17", "the stream ends inside the body"),
    ("llhttp-connection-20", "the case switches bodies off"),
    ("llhttp-content-length-20", "the case switches bodies off"),
    ("llhttp-invalid-38", "a lone LF ends a line in a head (RFC 9112, section 2.2); the connection is not used again"),
    ("llhttp-invalid-40", "the same"),
    ("llhttp-sample-64", "the same"),
    ("llhttp-sample-69", "a line whose name has a space is left out, and the connection is closed"),
    ("llhttp-sample-60", "the headers of the vector are garbled"),
    ("llhttp-transfer-encoding-75", "chunked that is not last is an error (RFC 9112, section 6.1)"),
    ("llhttp-transfer-encoding-76", "the same"),
    ("llhttp-transfer-encoding-77", "a coding that nobody asked for and nobody decodes is an error (section 7.4)"),
];

/// What became of the whole stream of one connection.
struct Outcome {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn fetch(raw: Vec<u8>) -> Result<Outcome, Error> {
    let server = Server::new(vec![vec![Step::Request, Step::Send(raw), Step::HalfClose, Step::UntilClosed]]);
    let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build()?;
    let mut response = pool.get("/").send()?;
    let mut body = Vec::new();
    if let Err(error) = std::io::Read::read_to_end(&mut response, &mut body) {
        return Err(error.downcast::<Error>().expect("reading a response gives errors of this crate"));
    }
    let fields = response.headers().iter().chain(response.trailers().iter());
    let headers = fields.map(|field| (field.name().to_owned(), field.value().into_owned())).collect();
    Ok(Outcome { status: response.status().as_u16(), headers, body })
}

/// `None` if the outcome is as it has to be, else what is wrong.
fn judge(case: &Case, raw: &[u8], outcome: &Result<Outcome, Error>) -> Option<String> {
    let ends_in_head = case.complete == 0 && memchr::memmem::find(raw, b"\r\n\r\n").is_none();
    let upgrade = case.statuses.first() == Some(&101);
    let accepted = case.error.is_none() && !ends_in_head && !upgrade && !is_cut(case, raw);
    let outcome = match (outcome, accepted) {
        (Err(_), false) => return None,
        (Err(error), true) => return Some(format!("refused: {error}")),
        (Ok(_), false) => return Some("accepted".into()),
        (Ok(outcome), true) => outcome,
    };
    let finals: Vec<u16> = case.statuses.iter().copied().filter(|status| *status >= 200).collect();
    if finals.first() != Some(&outcome.status) {
        return Some(format!("status {}", outcome.status));
    }
    // The vectors list the headers and bodies of all messages together.
    let single = case.statuses.len() == 1;
    // Some keep the white space behind a value, which is no part of it (RFC 9112, section 5.1).
    let expected = case.headers.iter().map(|(name, value)| (name.as_str(), value.trim()));
    if single && !expected.eq(outcome.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
        return Some(format!("headers {:?}", outcome.headers));
    }
    (single && outcome.body != decode(&case.body_b64)).then(|| format!("body {}", outcome.body.escape_ascii()))
}

/// Where the vector ends in front of the last line of a chunked body, or in a head behind an empty one.
fn is_cut(case: &Case, raw: &[u8]) -> bool {
    let mut codings = case.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
    let chunked = codings.next_back().is_some_and(|(_, value)| value.eq_ignore_ascii_case("chunked"));
    let no_body = case.statuses.first().is_some_and(|status| matches!(status, 204 | 304));
    !no_body && (chunked && !raw.ends_with(b"\r\n\r\n") || memchr::memmem::find(raw, b"\r\n\r\n").is_none())
}

fn decode(text: &str) -> Vec<u8> {
    use base64::prelude::{BASE64_STANDARD, Engine};
    BASE64_STANDARD.decode(text).expect("the vectors are base64")
}

#[test]
fn responses() {
    let Some(file) = read::<File>("response_cases.json") else { return };
    let mut wrong = Vec::new();
    let mut waived = Vec::new();
    for case in file.cases.iter().filter(|case| case.mode == "response") {
        let raw = decode(&case.raw_b64);
        let fault = judge(case, &raw, &fetch(raw.clone()));
        match (fault, WAIVED.iter().any(|(id, _)| *id == case.id)) {
            (None, false) => {}
            (Some(_), true) => waived.push(case.id.as_str()),
            (Some(fault), false) => wrong.push(format!("{}: {fault}", case.id)),
            (None, true) => wrong.push(format!("{}: waived, and passes", case.id)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(file.cases.len() > waived.len());
}

#[derive(Deserialize)]
struct UrlFile {
    cases: Vec<UrlCase>,
}

#[derive(Deserialize)]
struct UrlCase {
    input: String,
    base: Option<String>,
    href: Option<String>,
    protocol: Option<String>,
    hostname: Option<String>,
    port: Option<String>,
}

/// Where a reference is refused that the standard takes, and why: as for whole URLs, other clients read them otherwise.
fn is_refused(input: &str, error: InvalidUrl) -> bool {
    match error {
        InvalidUrl::UnsupportedScheme => !input.trim_start().to_ascii_lowercase().starts_with("http"),
        InvalidUrl::Authority => input.contains(['\\', ' ', '\t', '\n', '\r', '@']),
        InvalidUrl::NumericHost | InvalidUrl::Port => true,
        // The standard passes over slashes, RFC 3986 reads an empty host.
        InvalidUrl::NoHost => {
            let input = input.trim();
            let rest =
                input.split_once(':').filter(|(scheme, _)| !scheme.contains('/')).map_or(input, |(_, rest)| rest);
            rest.bytes().take_while(|byte| matches!(byte, b'/' | b'\\')).count() != 2
        }
        InvalidUrl::ControlCharacter => {
            let input = input.trim_matches([' ', '\t', '\r', '\n']);
            input.starts_with(|c: char| c.is_ascii_control()) || input.ends_with(|c: char| c.is_ascii_control())
        }
        _ => false,
    }
}

/// References at http and https URLs mean what the standard says they mean.
#[test]
fn references() {
    let Some(file) = read::<UrlFile>("url_cases.json") else { return };
    let mut wrong = Vec::new();
    let mut met = 0;
    for UrlCase { input, base, href, .. } in &file.cases {
        let Some(base) = base.as_deref().and_then(|base| Url::parse(base).ok()) else { continue };
        let fault = match (base.join(input), href) {
            (Ok(url), Some(href)) if url::Url::from(&url).as_str() == href => None,
            // The standard knows no zones of addresses; curl and urllib3 do, with and without the escape of the percent sign.
            (Ok(url), None) if url.origin().zone().is_some() => None,
            (Ok(url), _) => Some(url.to_string()),
            (Err(_), None) => None,
            (Err(error), Some(_)) => (!is_refused(input, error)).then(|| error.to_string()),
        };
        met += usize::from(fault.is_none());
        wrong.extend(fault.map(|fault| format!("{input:?} at {base}: {fault}, and not {href:?}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(met > 150, "{met}");
}

/// Whole http and https URLs: which are accepted, and for whom they are. The target is the caller's own text, which the
/// standard rewrites: that it may differ is the one thing not compared.
#[test]
fn urls() {
    let Some(file) = read::<UrlFile>("url_cases.json") else { return };
    let mut wrong = Vec::new();
    let mut met = 0;
    for UrlCase { input, base, href, protocol, hostname, port } in &file.cases {
        let is_web = |text: &str| text.trim_start().to_ascii_lowercase().starts_with("http");
        if base.is_some()
            || !protocol.as_deref().map_or(is_web(input), |protocol| matches!(protocol, "http:" | "https:"))
        {
            continue;
        }
        let fault = match (Url::parse(input), href) {
            (Ok(url), Some(_)) => {
                let origin = url.origin();
                let default = if origin.scheme() == "https" { 443 } else { 80 };
                let shown = origin.port().filter(|port| *port != default).map(|port| port.to_string());
                let ours = (format!("{}:", origin.scheme()), origin.host().to_owned(), shown.unwrap_or_default());
                let theirs = (protocol.clone(), hostname.clone(), port.clone());
                ((Some(ours.0.clone()), Some(ours.1.clone()), Some(ours.2.clone())) != theirs)
                    .then(|| format!("{ours:?} and not {theirs:?}"))
            }
            (Ok(url), None) => Some(format!("accepted as {url}")),
            (Err(_), None) => None,
            // A single slash or none, or white space within, is no authority for other clients.
            (Err(InvalidUrl::NoScheme), Some(_)) if !input.contains("://") || input.contains(['\t', '\n']) => None,
            (Err(error), Some(_)) => (!is_refused(input, error)).then(|| error.to_string()),
        };
        met += usize::from(fault.is_none());
        wrong.extend(fault.map(|fault| format!("{input:?}: {fault}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(met > 100, "{met}");
}
