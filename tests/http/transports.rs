//! Transports and dialers of the caller's own: pointers to them, sockets of std, and any reader and writer.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hostpool::{
    CookieRequest, CookieStore, DialContext, Dialer, Listener, PoolContext, PoolManager, Probe, Session, Target,
    Timeout, Transport, TransportInfo, Url, Wait,
};

/// Does nothing, but writes down each method that is called. No method has the result of its default.
#[derive(Default)]
struct Notes(Mutex<Vec<&'static str>>);

impl Notes {
    fn note<T>(&self, method: &'static str, result: T) -> T {
        self.0.lock().unwrap().push(method);
        result
    }
}

fn somewhere() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 443))
}

impl Transport for Notes {
    fn recv(&self, _: &mut [u8], _: &Wait<'_>) -> io::Result<usize> {
        self.note("recv", Ok(3))
    }
    fn send(&self, _: &[IoSlice<'_>], _: &Wait<'_>) -> io::Result<usize> {
        self.note("send", Ok(4))
    }
    fn flush(&self, _: &Wait<'_>) -> io::Result<bool> {
        self.note("flush", Ok(false))
    }
    fn probe(&self) -> Probe {
        self.note("probe", Probe::Readable)
    }
    fn has_buffered(&self) -> bool {
        self.note("has_buffered", true)
    }
    fn abort(&self) {
        self.note("abort", ());
    }
    fn info(&self) -> TransportInfo {
        self.note("info", TransportInfo::new().remote(somewhere()).encrypted(true))
    }
}

impl Dialer for Notes {
    fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        self.note("dial", Err(hostpool::Error::custom("none")))
    }
}

impl CookieStore for Notes {
    fn store(&self, _: &Url, _: &mut dyn Iterator<Item = &[u8]>) {
        self.note("store", ());
    }
    fn cookie_header(&self, _: &CookieRequest<'_>) -> Option<Vec<u8>> {
        self.note("cookie_header", Some(b"a=b".to_vec()))
    }
}

impl Listener for Notes {}

fn use_transport(transport: impl Transport) {
    let wait = Wait::default();
    assert_eq!(transport.recv(&mut [0; 8], &wait).unwrap(), 3);
    assert_eq!(transport.send(&[IoSlice::new(b"data")], &wait).unwrap(), 4);
    assert!(!transport.flush(&wait).unwrap());
    assert_eq!(transport.probe(), Probe::Readable);
    assert!(transport.has_buffered());
    transport.abort();
    assert_eq!(transport.info().remote, Some(somewhere()));
    assert!(transport.info().encrypted);
}

fn use_dialer(dialer: impl Dialer) {
    let url = Url::parse("http://h").unwrap();
    dialer.dial(&Target::from(&url), &DialContext::new(Timeout::new())).unwrap_err();
}

fn use_store(store: impl CookieStore) {
    let url = Url::parse("http://h").unwrap();
    store.store(&url, &mut std::iter::empty());
    assert_eq!(store.cookie_header(&CookieRequest::new(&url)), Some(b"a=b".to_vec()));
}

/// Each method reaches the value that a pointer leads to, also those that have a default.
#[test]
fn pointers_pass_every_method_on() {
    let [transports, dialers, stores]: [[Arc<Notes>; 3]; 3] = Default::default();
    // `Box<Arc<dyn _>>` has both pointers at once.
    use_transport(&*transports[0]);
    use_transport(transports[1].clone() as Arc<dyn Transport>);
    use_transport(Box::new(transports[2].clone()) as Box<dyn Transport>);
    use_dialer(&*dialers[0]);
    use_dialer(dialers[1].clone() as Arc<dyn Dialer>);
    use_dialer(Box::new(dialers[2].clone()) as Box<dyn Dialer>);
    use_store(&*stores[0]);
    use_store(stores[1].clone() as Arc<dyn CookieStore>);
    use_store(Box::new(stores[2].clone()) as Box<dyn CookieStore>);
    let called = |notes: &Notes| notes.0.lock().unwrap().clone();
    for one in transports {
        assert_eq!(called(&one), ["recv", "send", "flush", "probe", "has_buffered", "abort", "info", "info"]);
    }
    for one in dialers {
        assert_eq!(called(&one), ["dial"]);
    }
    for one in stores {
        assert_eq!(called(&one), ["store", "cookie_header"]);
    }
}

/// What a program chooses at run time fits every builder, and a type that holds it derives `Debug`.
#[test]
fn chosen_at_run_time() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "it is only printed")]
    struct Holder(Box<dyn Dialer>, Box<dyn Transport>, Arc<dyn CookieStore>, Box<dyn Listener>);

    let notes = Arc::new(Notes::default());
    let listener: Box<dyn Listener> = Box::new(notes.clone());
    let (dialer, store): (Box<dyn Dialer>, Arc<dyn CookieStore>) = (Box::new(notes.clone()), notes.clone());
    let holder = Holder(Box::new(notes.clone()), Box::new(notes.clone()), store.clone(), Box::new(notes.clone()));
    assert_eq!(format!("{holder:?}"), "Holder(dyn Dialer, dyn Transport, dyn CookieStore, dyn Listener)");
    let pools = PoolManager::builder().dialer(dialer).listener(listener).build().unwrap();
    let session = Session::builder().connector(pools).cookie_store(store).build().unwrap();
    session.get("http://h/").send().unwrap_err();
    assert_eq!(*notes.0.lock().unwrap(), ["cookie_header", "dial"]);
}

/// Clones of one `Arc<dyn Dialer>` are one dialer.
#[test]
fn a_shared_dialer_is_one_dialer() {
    let dialer: Arc<dyn Dialer> = Arc::new(Notes::default());
    let http = PoolManager::new();
    let pool = |dialer: Arc<dyn Dialer>| {
        http.connection_from_context(PoolContext::new("http://h").unwrap().dialer(dialer)).unwrap()
    };
    assert!(pool(dialer.clone()) == pool(dialer.clone()));
    assert!(pool(dialer) != pool(Arc::new(Notes::default())));
}
