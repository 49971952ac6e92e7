//! The trait of listeners.

use std::fmt;
use std::sync::Arc;

use super::events::{
    Acquired, Answered, Closed, Dialed, Dialing, Redirecting, Released, Retrying, Waited, Waiting, WaitsForItself,
};

/// Is told what a client does, as it happens: which connections are opened, used, given back and closed, which calls
/// wait, and what becomes of requests.
///
/// Every method has a default that does nothing. A method is called on the thread on which the event happens, mostly
/// that of the call, which goes on when the listener returns. Several threads may call a method at once. There is no
/// order between threads: the next user of a connection may be told of before its last user gives it back.
///
/// A listener may use the client that it listens to, or another. Its own requests and the connections that they open
/// are told to no listener. Connections that it closes are told of after it returns. Its requests do not wait in the
/// queue: at a limit they fail at once with [`ErrorKind::PoolTimeout`](crate::ErrorKind::PoolTimeout), because its own
/// thread may hold the connection that they would wait for. It must not use a WebSocket or an upgraded connection that
/// the thread of the event uses: it may wait for itself, for example in [`closed`](Self::closed) of a WebSocket whose
/// sending has failed. A panic ends the listener's call and nothing else. All of this holds for loggers, too. A listener
/// that owns the client it listens to keeps it alive: a [`Weak`](std::sync::Weak) does not.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
/// # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// use hostpool::observe::{Acquired, Dialed};
/// use hostpool::{Listener, PoolManager};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Counts {
///     opened: AtomicU64,
///     reused: AtomicU64,
/// }
///
/// impl Listener for Counts {
///     fn dialed(&self, event: &Dialed<'_>) {
///         self.opened.fetch_add(u64::from(event.error.is_none()), Ordering::Relaxed);
///     }
///     fn acquired(&self, event: &Acquired<'_>) {
///         self.reused.fetch_add(u64::from(event.reused), Ordering::Relaxed);
///     }
/// }
///
/// let counts = Arc::new(Counts::default());
/// let http = PoolManager::builder().listener(counts.clone()).build()?;
/// for _ in 0..3 {
///     http.get(&url).send()?.text()?;
/// }
/// assert_eq!(counts.opened.load(Ordering::Relaxed), 1);
/// assert_eq!(counts.reused.load(Ordering::Relaxed), 2);
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "TraceConfig")]
pub trait Listener: Send + Sync {
    /// A call begins to wait for a connection, at a limit.
    #[doc(alias = "on_connection_queued_start")]
    fn waiting(&self, event: &Waiting<'_>) {
        let _ = event;
    }

    /// A call has waited for a connection.
    #[doc(alias = "on_connection_queued_end")]
    fn waited(&self, event: &Waited<'_>) {
        let _ = event;
    }

    /// A call is about to wait without bound for a connection while its own thread has one of those it waits for, in a
    /// response that is not read to its end. If it has all of them, and no other thread reads from one or gives one
    /// back, the call fails as [`refuse_self_deadlock`](crate::ConnectionPoolBuilder::refuse_self_deadlock) says.
    fn waits_for_itself(&self, event: &WaitsForItself<'_>) {
        let _ = event;
    }

    /// A connection is about to be opened.
    #[doc(alias = "on_connection_create_start")]
    fn dialing(&self, event: &Dialing<'_>) {
        let _ = event;
    }

    /// A connection was opened, or could not be opened.
    #[doc(alias = "on_connection_create_end")]
    fn dialed(&self, event: &Dialed<'_>) {
        let _ = event;
    }

    /// A call got a connection.
    #[doc(alias = "on_connection_reuseconn")]
    fn acquired(&self, event: &Acquired<'_>) {
        let _ = event;
    }

    /// A connection goes back to its pool, whole. If the pool does not keep it, it is closed next.
    fn released(&self, event: &Released<'_>) {
        let _ = event;
    }

    /// A connection was closed.
    fn closed(&self, event: &Closed<'_>) {
        let _ = event;
    }

    /// A server answered: the head of a response has arrived.
    #[doc(alias = "on_request_end")]
    fn answered(&self, event: &Answered<'_>) {
        let _ = event;
    }

    /// A request is about to be sent again, after a pause.
    fn retrying(&self, event: &Retrying<'_>) {
        let _ = event;
    }

    /// A redirect is about to be followed.
    #[doc(alias = "on_request_redirect")]
    fn redirecting(&self, event: &Redirecting<'_>) {
        let _ = event;
    }
}

impl fmt::Debug for dyn Listener + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Listener")
    }
}

/// Passes each call on to the listener that the pointer leads to. So a listener can be shared with the program.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<L: Listener + ?Sized> Listener for $pointer {
            fn waiting(&self, event: &Waiting<'_>) {
                (**self).waiting(event);
            }

            fn waited(&self, event: &Waited<'_>) {
                (**self).waited(event);
            }

            fn waits_for_itself(&self, event: &WaitsForItself<'_>) {
                (**self).waits_for_itself(event);
            }

            fn dialing(&self, event: &Dialing<'_>) {
                (**self).dialing(event);
            }

            fn dialed(&self, event: &Dialed<'_>) {
                (**self).dialed(event);
            }

            fn acquired(&self, event: &Acquired<'_>) {
                (**self).acquired(event);
            }

            fn released(&self, event: &Released<'_>) {
                (**self).released(event);
            }

            fn closed(&self, event: &Closed<'_>) {
                (**self).closed(event);
            }

            fn answered(&self, event: &Answered<'_>) {
                (**self).answered(event);
            }

            fn retrying(&self, event: &Retrying<'_>) {
                (**self).retrying(event);
            }

            fn redirecting(&self, event: &Redirecting<'_>) {
                (**self).redirecting(event);
            }
        }
    )*};
}

forward!(&L, Box<L>, Arc<L>);
