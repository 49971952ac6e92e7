//! The fields that a call adds to each of its requests, and those that it removes when a redirect leads elsewhere.

use std::sync::Arc;

use super::credentials::Credentials;
use crate::body::Body;
use crate::client::hop::{HopFields, LeftOut, sends};
use crate::client::options::{Options, Standing};
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::cookies::CookieRequest;
use crate::error::{Error, Result};
use crate::h1::Head;
use crate::headers::{Header, Headers, is_value_byte};
use crate::redirect;
use crate::urls::{Origin, Url};

/// Sets the fields that the next request is sent with in addition to its own. They are made in place: a move of them
/// costs 20 instructions.
#[inline(always)]
pub(super) fn set_hop_fields(
    fields: &mut HopFields,
    terms: Terms<'_>,
    request: &Request,
    credentials: &mut Credentials,
    left_out: LeftOut,
) -> Result<()> {
    fields.left_out = left_out;
    fields.authorization = credentials.value(request, terms, left_out.crossed)?;
    fields.cookie = cookie(terms, request, left_out.crossed)?;
    fields.scheme = credentials.scheme().cloned();
    Ok(())
}

/// Returns the value of the Cookie field: the cookies of the store, and the request's own.
fn cookie(terms: Terms<'_>, request: &Request, crossed: bool) -> Result<Option<Vec<u8>>> {
    let of_store = terms
        .cookie_store()
        .and_then(|store| store.cookie_header(&CookieRequest::new(&request.url).cross_origin(crossed)))
        .filter(|cookies| !cookies.is_empty());
    // The store may be code of the caller, so its bytes are checked.
    if of_store.iter().flatten().any(|&byte| !is_value_byte(byte)) {
        return Err(Error::request("the cookie store gave a byte that no header may have"));
    }
    Ok(match terms.own() {
        Some(own) if !own.cookies.is_empty() => Some(join_cookies(of_store, own)),
        _ => of_store,
    })
}

/// Joins the cookies of the store with the request's own. One of the request's own replaces those of the same name.
fn join_cookies(of_store: Option<Vec<u8>>, own: &Options) -> Vec<u8> {
    let is_own = |pair: &[u8]| {
        let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        own.cookies.iter().any(|(own, _)| own.as_bytes() == name)
    };
    let mut pairs: Vec<Vec<u8>> = Vec::new();
    for pair in of_store.iter().flat_map(|pairs| pairs.split(|&byte| byte == b';')) {
        let pair = pair.trim_ascii();
        if !is_own(pair) {
            pairs.push(pair.to_vec());
        }
    }
    pairs.extend(own.cookies.iter().map(|(name, value)| format!("{name}={value}").into_bytes()));
    pairs.join(&b"; "[..])
}

/// Gives the cookies of a response to the store.
pub(super) fn store_cookies(terms: Terms<'_>, request: &Request, head: &Head) {
    if head.facts.set_cookie
        && let Some(store) = terms.cookie_store()
    {
        store.store(&request.url, &mut head.headers.values("set-cookie"));
    }
}

/// Returns whether the request has an `Idempotency-Key`, by which the server recognises a repetition.
pub(super) fn is_keyed(terms: Terms<'_>, request: &Request, left_out: LeftOut) -> bool {
    ["idempotency-key", "x-idempotency-key"].iter().any(|name| sends(terms, request, left_out, name))
}

/// The URL, fields and cookies of a request before a middleware or a hook runs. It may move the request to another
/// origin.
pub(super) struct Before {
    url: Url,
    headers: Headers,
    cookies: Vec<(Box<str>, Box<str>)>,
}

impl Before {
    pub(super) fn note(request: &mut Request) -> Before {
        if request.options().is_some_and(|own| own.auth.is_some() && own.auth_standing == Standing::Fresh) {
            request.options_mut().auth_standing = Standing::Settled;
        }
        Before {
            url: request.url.clone(),
            headers: request.headers.clone(),
            cookies: request.options().map_or_else(Vec::new, |own| own.cookies.clone()),
        }
    }

    /// Removes all that was for the old origin, if the middleware or the hook has moved the request to another one. What
    /// it has set anew stays: it is for the new origin.
    pub(super) fn leave_if_moved(&self, terms: Terms<'_>, request: &mut Request) -> Result<()> {
        if *request.url.shared_origin() == *self.url.shared_origin() {
            return Ok(());
        }
        // Another spelling is the same login: a URL parser may escape more, and drop an empty password.
        let login = |url: &Url| url.auth().map(|(user, password)| (user, password.unwrap_or_default()));
        if request.url.userinfo().is_some() && login(&request.url) == login(&self.url) {
            request.url = request.url.at(request.url.shared_origin())?;
        }
        let own = request.options.clone();
        // The caller's code moves a request by more than a redirect may, so no origin is trusted.
        leave_behind(terms.of(own.as_deref()), request, Some(self), false);
        Ok(())
    }

    fn had(&self, field: &Header<'_>) -> bool {
        let same =
            |other: &Header<'_>| other.name().eq_ignore_ascii_case(field.name()) && other.bytes() == field.bytes();
        self.headers.iter().any(|other| same(&other))
    }
}

/// Removes from the call all that is for the origins which a redirect leads away from. Nothing of it comes back, even
/// if a later redirect leads to such an origin again. `left_out` tells the rest of the client:
///
/// - [`default_fields`] leaves out fields of the client by the same rule as those of the request;
/// - the store gives no cookies that are for one site;
/// - credentials of the client are for the origins that the caller named.
///
/// Credentials stay with the call as long as each of its requests goes to `home`, which the caller named, or to an
/// origin that the caller trusts. From the first request to any other origin on, they are gone.
///
/// `request` has the URL that the redirect leads to.
pub(super) fn leave_origin(
    terms: Terms<'_>,
    request: &mut Request,
    credentials: &mut Credentials,
    left_out: &mut LeftOut,
    home: &Arc<Origin>,
) {
    let origin = request.url.shared_origin();
    let trusted = !left_out.crossed && (origin == home || terms.trusts(origin));
    leave_behind(terms, request, None, trusted);
    cross(credentials, left_out, trusted);
}

/// Notes that the call has come to another origin than the caller named, and whether the caller trusts it.
pub(super) fn cross(credentials: &mut Credentials, left_out: &mut LeftOut, trusted: bool) {
    (left_out.moved, left_out.crossed) = (true, !trusted);
    // Credentials of a URL are for its origin.
    credentials.leave_origin(trusted);
}

/// Removes from a request what stays behind at another origin: fields by [`Terms::stays_behind`], and, unless the origin
/// is trusted, cookies and credentials. This is the one place that decides it. With `before`, only what was there before
/// is removed.
fn leave_behind(terms: Terms<'_>, request: &mut Request, before: Option<&Before>, trusted: bool) {
    let was_there = |field: &Header<'_>| before.is_none_or(|before| before.had(field));
    request
        .headers
        .remove_fields(|headers, field| terms.stays_behind(headers, field.name(), trusted) && was_there(field));
    if trusted {
        return;
    }
    let Some(own) = request.options() else { return };
    let leaves_auth = own.own_auth().is_some() && (before.is_none() || own.auth_standing == Standing::Settled);
    if !own.cookies.is_empty() || leaves_auth {
        let own = request.options_mut();
        own.cookies.retain(|pair| before.is_some_and(|before| !before.cookies.contains(pair)));
        if leaves_auth {
            own.auth_standing = Standing::Left;
        }
    }
}

/// Removes the body, and all that describes it, from a request that a redirect makes a GET.
pub(super) fn leave_body(request: &mut Request, left_out: &mut LeftOut) {
    left_out.bodiless = true;
    request.body = Body::empty();
    request.content_type = None;
    request.expect = false;
    redirect::forget_body(&mut request.headers);
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::client::policy::Policy;

    #[test]
    fn cookies_of_the_jar_and_of_the_request() {
        let options = |pairs: &[(&str, &str)]| Options {
            cookies: pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
            ..Options::default()
        };
        let table = [
            ("a=1; b=2", vec![("c", "3")], "a=1; b=2; c=3"),
            ("a=1; b=2", vec![("a", "3")], "b=2; a=3"),
            ("a=1; a=2", vec![("a", "3"), ("a", "4")], "a=3; a=4"),
            ("a=b=c", vec![("d", "")], "a=b=c; d="),
        ];
        for (stored, own, expected) in table {
            let joined = join_cookies(Some(stored.into()), &options(&own));
            assert_eq!(String::from_utf8(joined).unwrap(), expected);
        }
        assert_eq!(join_cookies(None, &options(&[("a", "1")])), b"a=1");
    }

    #[test]
    fn every_copy_of_a_credential_stays_behind() {
        let mut request = Request::new(Method::GET, Url::parse("http://h/").unwrap());
        for name in
            ["Authorization", "X-A", "AUTHORIZATION", "cookie", "Host", "X-Api-Key", "X-Own", "Proxy-Authorization"]
        {
            request.headers.append(name, "1").unwrap();
        }
        let mut policy = Policy::default();
        policy.following.sensitive.push("x-api-key".into());
        request.options_mut().sensitive.push("x-own".into());
        request.options_mut().cookies.push(("a".into(), "1".into()));
        let own = request.options.clone();
        let (mut credentials, mut left_out) = (Credentials::default(), LeftOut::default());
        let home = Url::parse("http://home/").unwrap().shared_origin().clone();
        leave_origin(Terms::for_test(&policy, own.as_deref()), &mut request, &mut credentials, &mut left_out, &home);
        assert_eq!(request.headers.iter().map(|field| field.name()).collect::<Vec<_>>(), ["X-A"]);
        assert!(request.options().unwrap().cookies.is_empty() && left_out.crossed);
    }
}
