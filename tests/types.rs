//! What the public types can be used for: which can be cloned, sent and shared between threads, and used after a panic,
//! and which values can be counted and shown.

use std::collections::HashSet;
use std::fmt::{Debug, Display};
use std::fs;
use std::hash::Hash;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;

use hostpool::multipart::*;
use hostpool::observe::*;
use hostpool::*;

/// A type to ask what it implements. A constant of this type itself is found before that of the trait `No`, provided
/// that its bound holds.
struct Is<T>(PhantomData<T>);

macro_rules! ask {
    ($($constant:ident: $bound:path),*) => {
        // Every public type has `Debug`, so nothing asks this trait for it.
        #[allow(dead_code)]
        trait No {
            $(const $constant: bool = false;)*
        }

        impl<T> No for Is<T> {}

        $(impl<T: $bound> Is<T> {
            const $constant: bool = true;
        })*
    };
}

ask!(CLONE: Clone, DEBUG: Debug, SEND: Send, SYNC: Sync, UNWIND: UnwindSafe, REF_UNWIND: RefUnwindSafe);

/// Returns the name of each type, without its arguments, and what it implements.
macro_rules! types {
    ($($type:ty),* $(,)?) => {
        [$((
            stringify!($type).split(['<', ' ']).next().unwrap(),
            [
                (Is::<$type>::CLONE, "Clone"),
                (Is::<$type>::DEBUG, "Debug"),
                (Is::<$type>::SEND, "Send"),
                (Is::<$type>::SYNC, "Sync"),
                (Is::<$type>::UNWIND, "UnwindSafe"),
                (Is::<$type>::REF_UNWIND, "RefUnwindSafe"),
            ],
        )),*]
    };
}

/// What a type implements: each bound, and whether it holds.
type Bounds = [(bool, &'static str); 6];

/// Traits cannot be asked, and a `Result` has the properties of its type.
const NOT_ASKED: [&str; 20] = [
    "AuthRounds",
    "AuthScheme",
    "Client",
    "Connector",
    "CookieStore",
    "Dialer",
    "IntoAddresses",
    "IntoHeaderName",
    "IntoHeaderValue",
    "IntoHeaders",
    "IntoPairs",
    "IntoRequest",
    "IntoStatus",
    "IntoUrl",
    "Listener",
    "ManyHosts",
    "Middleware",
    "Resolver",
    "Result",
    "Transport",
];

/// Values and clients: they are cloned, shared by threads, and as good as before after a panic.
fn shared() -> Vec<(&'static str, Bounds)> {
    types![
        Acquired<'static>,
        Answered<'static>,
        AnyAuth,
        Attempt,
        Auth,
        AuthEncoding,
        AuthPeer<'static>,
        BasicAuth,
        Bound,
        CancelToken,
        ClientBuilder<Session>,
        CancelToken,
        CloseReason,
        Closed<'static>,
        Compress,
        ConnectionInfo,
        ConnectionPool,
        ConnectionPoolBuilder,
        ContentDisposition,
        Cookie,
        CookieBuilder,
        CookieJar,
        CookieJarBuilder,
        CookieRequest<'static>,
        Dialed<'static>,
        DialerFn<fn()>,
        Dialing<'static>,
        DigestAuth,
        ErrorKind,
        Family,
        Fingerprint,
        Header<'static>,
        Headers,
        HeadersIter<'static>,
        InvalidHeader,
        InvalidUrl,
        Jitter,
        Limit,
        Limits,
        Link,
        Lookup<'static>,
        MakeHeaders,
        MediaType,
        Method,
        MiddlewareFn<fn()>,
        Netrc,
        NoCookies,
        Origin,
        Phase,
        PoolContext,
        PoolManager,
        PoolManagerBuilder,
        PoolStats,
        Probe,
        Proxy,
        ProxyConnector,
        ProxyConnectorBuilder,
        ProxyManager,
        ProxyManagerBuilder,
        RedirectAction,
        RedirectHop<'static>,
        Redirecting<'static>,
        Released<'static>,
        ResolverFn<fn()>,
        ResponseHead,
        Retry,
        RetryBudget,
        RetryCause,
        RetryCount,
        RetryCounts,
        RetrySettings<'static>,
        Retrying<'static>,
        SameSite,
        Session,
        SessionBuilder,
        ShutdownHandle,
        SocketOption,
        SourceAddress,
        StatusCode,
        Strictness,
        SystemResolver,
        Target<'static>,
        TcpConnector,
        TcpConnectorBuilder,
        TcpDialer,
        Timeout,
        TimeoutSettings,
        TlsConfig,
        TlsConfigBuilder,
        TlsDialer<TcpDialer>,
        TlsFailure,
        TlsFault,
        TlsInfo,
        TlsVersion,
        TransportInfo,
        UnixConnector,
        UnixConnectorBuilder,
        UnixDialer,
        Url,
        Version,
        Violation,
        Waited<'static>,
        Waiting<'static>,
        WaitsForItself<'static>,
    ]
    .into()
}

/// Everything else: types that hold a connection or a reader of the caller's, or that last for one call.
fn others() -> Vec<(&'static str, Bounds, &'static str)> {
    let all = "Debug Send Sync UnwindSafe RefUnwindSafe";
    let alone = "Debug Send UnwindSafe RefUnwindSafe";
    let rows = [
        (types![Connection, Error, IoTransport, Pending, Upgraded, UpgradedReader, UpgradedWriter].to_vec(), all),
        (types![Body, Form, Part, Request, RequestBuilder, Response, ResponseBody, ResponseBuilder].to_vec(), alone),
        (types![Chunks<'static>, Lines<'static>].to_vec(), "Debug Send RefUnwindSafe"),
        (types![OnCancel].to_vec(), "Debug Send Sync"),
        (types![Batch<std::vec::IntoIter<RequestBuilder>>].to_vec(), "Debug Send"),
        (types![DialContext<'static>, Wait<'static>].to_vec(), "Clone Debug Send Sync"),
        (types![Next<'static>].to_vec(), "Clone Debug"),
        (types![OnCancel].to_vec(), "Debug Send Sync"),
    ];
    rows.into_iter()
        .chain(of_websockets())
        .flat_map(|(types, has)| types.into_iter().map(move |(name, bounds)| (name, bounds, has)))
        .collect()
}

/// The types that are there with the feature alone.
#[cfg(feature = "websocket")]
fn of_websockets() -> Vec<(Vec<(&'static str, Bounds)>, &'static str)> {
    vec![
        (types![WebSocket, WebSocketReceiver, WebSocketSender].to_vec(), "Debug Send Sync UnwindSafe RefUnwindSafe"),
        (types![WebSocketBuilder].to_vec(), "Debug Send UnwindSafe RefUnwindSafe"),
        (types![CloseFrame, Message, PerMessageDeflate].to_vec(), "Clone Debug Send Sync UnwindSafe RefUnwindSafe"),
        (types![IntoMessages<WebSocket>].to_vec(), "Debug Send Sync UnwindSafe RefUnwindSafe"),
        (types![Messages<'static>].to_vec(), "Debug Send Sync"),
    ]
}

#[cfg(not(feature = "websocket"))]
fn of_websockets() -> Vec<(Vec<(&'static str, Bounds)>, &'static str)> {
    let names = [
        "CloseFrame",
        "IntoMessages",
        "Message",
        "Messages",
        "PerMessageDeflate",
        "WebSocket",
        "WebSocketBuilder",
        "WebSocketReceiver",
        "WebSocketSender",
    ];
    vec![(names.map(|name| (name, [(false, ""); 6])).to_vec(), "")]
}

/// Returns the public names of a module that begin with a capital letter: types and traits.
fn names(file: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap();
    let lists = text.split("\npub use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    let words = lists.flat_map(|list| list.split([',', '{', '}', ':']).map(str::trim).map(str::to_owned));
    words.filter(|word| word.starts_with(char::is_uppercase)).collect()
}

#[test]
fn what_the_public_types_implement() {
    let every = "Clone Debug Send Sync UnwindSafe RefUnwindSafe";
    let shared = shared().into_iter().map(|(name, bounds)| (name, bounds, every));
    let mut wrong = Vec::new();
    let mut asked: HashSet<_> = NOT_ASKED.map(str::to_owned).into();
    for (name, bounds, expected) in shared.chain(others()) {
        let has: Vec<_> = bounds.into_iter().filter_map(|(has, bound)| has.then_some(bound)).collect();
        if has.join(" ") != expected {
            wrong.push(format!("{name}: {}", has.join(" ")));
        }
        asked.insert(name.to_owned());
    }
    assert_eq!(wrong, Vec::<String>::new());
    for file in ["lib.rs", "multipart/mod.rs", "observe/mod.rs"] {
        let names = names(file);
        assert!(names.len() > 1, "{file}");
        for name in names {
            assert!(asked.contains(&name), "{name} is public, and not in the table");
        }
    }
}

/// Errors and ends of connections are counted by their kinds and shown in logs, so their parts are keys and texts.
#[test]
fn kinds_are_counted_and_shown() {
    fn key<T: Clone + Eq + Hash + Display + Debug + Send + Sync + 'static>(of: T) -> String {
        assert!(HashSet::from([of.clone()]).contains(&of));
        of.to_string()
    }
    let table = [
        (key(Phase::Connect), "connecting"),
        (key(Bound::Total), "total"),
        (key(Limit::HeadBytes), "bytes of a response head"),
        (key(CloseReason::PoolClosed), "the pool was closed"),
        (key(Violation::StatusLine), "the response does not begin with an HTTP/1.0 or HTTP/1.1 status line"),
        (key(ErrorKind::Timeout(Bound::Connect)), "the connect timeout passed"),
    ];
    for (shown, expected) in table {
        assert_eq!(shown, expected);
    }
}

/// What a dialer of the caller's fills in can grow, and is made by a constructor.
#[test]
fn facts_about_a_peer() {
    let info = TransportInfo::new().remote(([192, 0, 2, 7], 80).into());
    assert_eq!((info.remote.map(|remote| remote.port()), info.encrypted), (Some(80), false));
}
