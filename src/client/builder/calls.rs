//! Begins the requests that callers built before.

use std::sync::Arc;

use super::executable::Executable;
use super::sealed::Sealed;
use super::{IntoRequest, RequestBuilder};
use crate::client::engine::Engine;
use crate::client::policy::Policy;
use crate::error::Result;
use crate::urls::{Origin, Url};

/// The parts of a client that begin a request: its connections, its settings, and how it reads a URL.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) engine: Arc<Engine>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) base: Base,
}

/// How a client reads the URI of a request of the `http` crate.
#[derive(Clone)]
pub(crate) enum Base {
    /// It is absolute.
    Absolute,
    /// It may be relative to this URL of a session, if the session has one.
    Joined(Option<Arc<Url>>),
    /// It may be a path on this host.
    Host(Arc<Origin>),
}

impl Calls {
    /// Begins the request. One that a client has begun already is sent by that client.
    pub(crate) fn begin(&self, request: impl IntoRequest) -> RequestBuilder {
        Executable::begin(request, self)
    }

    pub(super) fn url(&self, text: String) -> Result<Url> {
        match &self.base {
            Base::Absolute => Sealed::into_url(text, &self.engine.origins, None),
            Base::Joined(base) => {
                // The `http` crate has read a URI that begins with `//` as a path. Do not let it be resolved as a
                // reference to a host.
                let text = if text.starts_with("//") { format!("/.{text}") } else { text };
                Sealed::into_url(text, &self.engine.origins, base.as_deref())
            }
            Base::Host(origin) => Sealed::into_target(text, origin),
        }
    }
}
