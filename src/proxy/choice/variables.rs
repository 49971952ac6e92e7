//! The variables of an environment that are about proxies. What they hold is given by the caller.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use crate::error::{Error, ErrorKind, Result};
use crate::observe;
use crate::proxy::{Proxy, SCHEMES};
use crate::urls::{InvalidUrl, Scheme};

/// The longest scheme that an error shows. Longer texts may be anything, also a password.
const LONGEST_SCHEME: usize = 16;

/// A variable that is set, with its value.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    value: OsString,
}

/// The variables that count.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Variables {
    http: Option<Variable>,
    https: Option<Variable>,
    all: Option<Variable>,
    pub(super) no_proxy: String,
}

impl Variables {
    /// Reads the variables that `find` knows. `folds_case` says that it does not tell upper from lower case.
    pub(super) fn of(find: impl Fn(&str) -> Option<OsString>, folds_case: bool) -> Variables {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|&name| {
                let value = find(name).filter(|value| !is_blank(value))?;
                Some(Variable { name, value })
            })
        };
        // A client of a CGI script chooses the variables that begin with HTTP_ (RFC 3875, section 4.1.18).
        let http: &[_] = match (find("REQUEST_METHOD").is_some(), folds_case) {
            (false, _) => &["http_proxy", "HTTP_PROXY"],
            (true, false) => &["http_proxy"],
            (true, true) => &[],
        };
        let no_proxy = first(&["no_proxy", "NO_PROXY"]);
        Variables {
            http: first(http),
            https: first(&["https_proxy", "HTTPS_PROXY"]),
            all: first(&["all_proxy", "ALL_PROXY"]),
            no_proxy: no_proxy.map(|list| list.value.to_string_lossy().into_owned()).unwrap_or_default(),
        }
    }

    /// Returns the variable that names the proxy of a scheme.
    pub(super) fn proxy_of(&self, scheme: Scheme) -> Option<&Variable> {
        let own = match scheme {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
            Scheme::HttpUnix | Scheme::HttpsUnix => return None,
        };
        own.as_ref().or(self.all.as_ref())
    }
}

/// Returns whether a value is empty. White space alone is no URL, and nobody sees it.
fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|value| value.trim().is_empty())
}

/// Returns the proxy that a variable names.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`] if it names none.
pub(super) fn proxy(variable: &Variable) -> Result<Proxy> {
    let Variable { name, value } = variable;
    let Some(value) = value.to_str() else { return Err(unusable(name, "it is not UTF-8")) };
    let value = value.trim();
    let url = match value.split_once("://") {
        None => Cow::Owned(format!("http://{value}")),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("socks") => {
            observe::socks_alias(name);
            Cow::Owned(format!("socks5h://{rest}"))
        }
        Some(_) => Cow::Borrowed(value),
    };
    Proxy::parse(&url).map_err(|error| match error.kind() {
        ErrorKind::InvalidUrl(InvalidUrl::UnsupportedScheme | InvalidUrl::NoScheme) => {
            let shown = scheme_of(&url).map(|scheme| format!(", not {scheme}")).unwrap_or_default();
            unusable(name, &format!("the scheme of a proxy is {SCHEMES}{shown}"))
        }
        ErrorKind::InvalidUrl(why) => unusable(name, &why.to_string()),
        // The other errors are about the login, and do not show it.
        _ => unusable(name, error.reason().why().unwrap_or("its login cannot be sent")),
    })
}

/// Returns the error of a variable, without its value, which may have a password.
fn unusable(name: &str, why: &str) -> Error {
    Error::config(format!("{name} is not the URL of a proxy: {why}"))
}

/// Returns the scheme of a URL, if the text can be shown.
fn scheme_of(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    let is_plain = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (is_plain && scheme.len() <= LONGEST_SCHEME).then_some(scheme)
}
