//! Public test vectors: those of http-state, with which RFC 6265 was made, and those of the public suffix list.
//!
//! `HOSTPOOL_VECTORS` names their folder; without it nothing is tested. The tests are beside the code because they need
//! a clock of their own: some of the cookies lasted until 2019.

use std::path::PathBuf;

use serde_json::Value;

use super::{CookieJar, CookieRequest};
use crate::date::{self, ImfDate};
use crate::urls::Url;

/// 1 January 2015: the cookies that the vectors mean to be expired are, and the others are not.
const NOW: i64 = 1_420_070_400;

/// RFC 6265 dropped cookies that its successor keeps.
const NAMELESS: &str = "a cookie without a name is kept (RFC 6265bis, sections 5.6 and 5.7)";

/// The vectors that this jar differs from, and why.
const WAIVED: &[(&str, &str)] = &[
    ("0004", NAMELESS),
    ("0021", NAMELESS),
    ("0023", NAMELESS),
    ("0024", NAMELESS),
    ("0025", NAMELESS),
    ("0026", NAMELESS),
    ("0027", NAMELESS),
    ("0028", NAMELESS),
    ("chromium0009", NAMELESS),
    ("chromium0010", NAMELESS),
    ("chromium0012", NAMELESS),
    ("mozilla0012", NAMELESS),
    ("mozilla0014", NAMELESS),
    ("mozilla0015", NAMELESS),
    ("mozilla0016", NAMELESS),
    ("mozilla0017", NAMELESS),
    ("name0017", NAMELESS),
    ("name0023", NAMELESS),
    ("name0025", NAMELESS),
    ("name0028", NAMELESS),
    ("name0031", NAMELESS),
    ("name0032", NAMELESS),
    ("name0033", NAMELESS),
    ("disabled-chromium0022", "a control character refuses the cookie, and does not end it (RFC 6265bis, section 5.6)"),
    ("disabled-chromium0023", "the same"),
    ("disabled-path0029", "paths are compared as they are written (RFC 6265, section 5.1.4)"),
];

fn read(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("HOSTPOOL_VECTORS").map(PathBuf::from) else {
        eprintln!("skipped: HOSTPOOL_VECTORS does not name a folder of vectors");
        return None;
    };
    let file = std::fs::read(folder.join(name)).expect("the folder has the file");
    Some(serde_json::from_slice(&file).expect("the file is JSON"))
}

/// Returns the bytes that a string of the vectors stands for.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("a byte")).collect()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {case}"))
}

#[test]
#[cfg_attr(not(feature = "cookies"), ignore = "Domain attributes need the list of public suffixes")]
fn exchanges() {
    let Some(file) = read("cookie_cases.json") else { return };
    let mut wrong = Vec::new();
    let cases = file["cases"].as_array().expect("cases");
    for case in cases {
        let jar = CookieJar::new();
        let url = Url::parse(text(case, "set_url")).unwrap();
        for field in case["set_cookie"].as_array().expect("fields") {
            let _ = jar.set_at(&url, &bytes(field.as_str().expect("a text")), NOW);
        }
        let url = Url::parse(text(case, "result_url")).unwrap();
        let header = jar.header_at(&CookieRequest::new(&url), NOW);
        let expected = case["expected_cookie"].as_str().map(bytes);
        let id = text(case, "id");
        match (header == expected, WAIVED.iter().any(|(waived, _)| *waived == id)) {
            (true, false) | (false, true) => {}
            (true, true) => wrong.push(format!("{id}: waived, and passes")),
            (false, false) => wrong.push(format!("{id}: {:?}", header.map(|header| header.escape_ascii().to_string()))),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cases.len() > 200, "{}", cases.len());
}

#[test]
fn dates() {
    let Some(file) = read("cookie_cases.json") else { return };
    let dates = file["dates"].as_array().expect("dates");
    for case in dates {
        let read = date::parse(text(case, "input").as_bytes()).map(|date| ImfDate(date).to_string());
        assert_eq!(read.as_deref(), case["expected"].as_str(), "{case}");
    }
    assert!(dates.len() >= 70, "{}", dates.len());
}

/// The registrable domain is the shortest domain that a host may set cookies for.
#[test]
#[cfg(feature = "cookies")]
fn public_suffixes() {
    let Some(file) = read("psl_cases.json") else { return };
    let cases = file["cases"].as_array().expect("cases");
    let mut tested = 0;
    for case in cases {
        let Some(host) = case[0].as_str() else { continue };
        let url = Url::parse(&format!("http://{host}/")).unwrap();
        let host = url.origin().host();
        let parents = std::iter::successors(Some(host), |name| name.split_once('.').map(|(_, parent)| parent));
        let is_for_domain = |domain: &&str| {
            let jar = CookieJar::new();
            let outcome = jar.set_at(&url, format!("a=b; Domain={domain}").as_bytes(), NOW);
            outcome.is_ok() && jar.to_vec_at(NOW).iter().all(|cookie| !cookie.host_only())
        };
        let shortest = parents.filter(is_for_domain).last();
        let expected = case[1].as_str().map(|domain| Url::parse(&format!("http://{domain}/")).unwrap());
        assert_eq!(shortest, expected.as_ref().map(|url| url.origin().host()), "{case}");
        tested += 1;
    }
    assert!(tested > 70, "{tested}");
}
