//! The events that a listener is told of.

use std::time::Duration;

use http::{Method, StatusCode};

use crate::close_reason::CloseReason;
use crate::error::{ErrorKind, ResponseHead, RetryCause};
use crate::urls::{Origin, Url};

/// A call begins to wait for a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waiting<'a> {
    /// The origin that the connection is for.
    pub origin: &'a Origin,
}

/// A call has waited for a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waited<'a> {
    /// The origin that the connection is for.
    pub origin: &'a Origin,
    /// How long it waited.
    pub waited: Duration,
    /// Whether it got a connection or the right to open one. False if its time ran out or the pool was closed.
    pub granted: bool,
}

/// A call is about to wait for a connection of its own thread.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitsForItself<'a> {
    /// The origin that the connection is for.
    pub origin: &'a Origin,
    /// The number of a connection that the thread has or is opening.
    pub held: u64,
    /// Whether the thread has all of the connections that the call waits for. A response counts for the thread that
    /// sent its request, until another thread reads from it.
    pub certain: bool,
}

/// A connection is about to be opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dialing<'a> {
    /// The origin that the connection is for.
    pub origin: &'a Origin,
    /// The number of the connection, from 1 and unique in the process.
    pub id: u64,
}

/// A connection was opened, or could not be opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dialed<'a> {
    /// The origin that the connection is for.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
    /// How long the lookup of the name, connecting and the TLS handshake took.
    pub took: Duration,
    /// The error, if the connection could not be opened.
    pub error: Option<&'a ErrorKind>,
    /// The response by which an HTTP proxy opened the tunnel that the connection goes through.
    pub tunnel: Option<&'a ResponseHead>,
}

/// A call got a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Acquired<'a> {
    /// The origin that the connection is for.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
    /// Whether it was used before.
    pub reused: bool,
    /// How long it had been idle; zero for a new one.
    pub idle_for: Duration,
}

/// A connection goes back to its pool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Released<'a> {
    /// The origin that the connection is for.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
}

/// A connection was closed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Closed<'a> {
    /// The origin that the connection is for.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
    /// The reason.
    pub reason: CloseReason,
    /// How long it was open.
    pub age: Duration,
    /// The number of calls that used it.
    pub requests: u64,
}

/// The head of a response has arrived.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answered<'a> {
    /// The number of the connection.
    pub id: u64,
    /// The request's method.
    pub method: &'a Method,
    /// The request's URL.
    pub url: &'a Url,
    /// The response's status.
    pub status: StatusCode,
}

/// A request is about to be sent again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Retrying<'a> {
    /// The origin that the request is for.
    pub origin: &'a Origin,
    /// The request's method.
    pub method: &'a Method,
    /// The number of the retry, from 1.
    pub attempt: u32,
    /// How long the call sleeps first.
    pub wait: Duration,
    /// The reason why the request is sent again.
    pub cause: &'a RetryCause,
}

/// A redirect is about to be followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Redirecting<'a> {
    /// The URL of the request that is redirected.
    pub from: &'a Url,
    /// The URL that the client is sent to.
    pub to: &'a Url,
    /// The status of the redirect.
    pub status: StatusCode,
}
