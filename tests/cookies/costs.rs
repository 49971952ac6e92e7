//! What looking cookies up costs.

use hostpool::{CookieJar, CookieRequest, CookieStore};

use super::alloc::counted;
use super::url;

#[test]
fn memory_asked_for() {
    let jar = CookieJar::new();
    let h = url("http://h.test/a/b");
    let request = CookieRequest::new(&h);
    let calls = || {
        let before = counted().calls;
        let header = jar.cookie_header(&request);
        (counted().calls - before, header)
    };
    assert_eq!(calls(), (0, None), "an empty jar");
    for n in 0..100 {
        jar.set(&url(&format!("http://h{n}.test/")), "n=1").unwrap();
    }
    assert_eq!(calls(), (0, None), "a jar of others' cookies");
    (0..3).for_each(|n| jar.set(&h, &format!("n{n}=1")).unwrap());
    assert_eq!(calls(), (1, Some(b"n0=1; n1=1; n2=1".to_vec())), "the header, and nothing else");
}
