//! Credentials, as the servers at both ends of redirects see them.

#[cfg(feature = "digest-auth")]
mod any;
mod basic;
#[cfg(feature = "digest-auth")]
mod digest;
mod netrc;
mod rounds;

#[cfg(not(feature = "digest-auth"))]
#[test]
fn digests_are_not_compiled_in() {
    use hostpool::{AnyAuth, DigestAuth, ErrorKind, Session};

    let auth = DigestAuth::new("Mufasa", "Circle of Life");
    let error = Session::new().get("http://127.0.0.1:1/").auth(&auth).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unsupported);
    assert!(Session::builder().auth(auth).build().is_err());
    assert!(Session::builder().auth(AnyAuth::new("a", "b")).build().is_err());
}
