//! The events that a listener is told of.

use std::time::Duration;

use http::{Method, StatusCode};

use crate::close_reason::CloseReason;
use crate::error::{ErrorKind, RetryCause};
use crate::url::{Origin, Url};

/// A call begins to wait for a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waiting<'a> {
    /// Whom the connection is for.
    pub origin: &'a Origin,
}

/// A call has waited for a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waited<'a> {
    /// Whom the connection is for.
    pub origin: &'a Origin,
    /// How long.
    pub waited: Duration,
    /// Whether it got a connection, or the right to open one. It did not if its time ran out or the pool was closed.
    pub granted: bool,
}

/// A call is about to wait for what its own thread has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitsForItself<'a> {
    /// Whom the connection is for.
    pub origin: &'a Origin,
    /// The number of a connection that the thread has, or is opening.
    pub held: u64,
    /// Whether the thread has all of them. A response counts for the thread that sent its request, also where another
    /// thread reads it.
    pub certain: bool,
}

/// A connection is about to be opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dialing<'a> {
    /// Whom to.
    pub origin: &'a Origin,
    /// The number of the connection, from 1 and unique in the process.
    pub id: u64,
}

/// A connection was opened, or could not be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dialed<'a> {
    /// Whom to.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
    /// How long that took: the lookup of the name, connecting, and the TLS handshake.
    pub took: Duration,
    /// Why there is no connection.
    pub error: Option<&'a ErrorKind>,
}

/// A call has got a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Acquired<'a> {
    /// Whom to.
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
    /// Whom to.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
}

/// A connection was closed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Closed<'a> {
    /// Whom to.
    pub origin: &'a Origin,
    /// The number of the connection.
    pub id: u64,
    /// Why.
    pub reason: CloseReason,
    /// How long it was open.
    pub age: Duration,
    /// How many calls it was used by.
    pub requests: u64,
}

/// The head of a response is there.
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
    /// Whom to.
    pub origin: &'a Origin,
    /// The request's method.
    pub method: &'a Method,
    /// Which time that is: 1 for the first retry.
    pub attempt: u32,
    /// How long the call sleeps first.
    pub wait: Duration,
    /// What became of the attempt before.
    pub cause: &'a RetryCause,
}

/// A redirect is about to be followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Redirecting<'a> {
    /// The URL that was asked for.
    pub from: &'a Url,
    /// Where the server sends the client.
    pub to: &'a Url,
    /// The status of the redirect.
    pub status: StatusCode,
}
