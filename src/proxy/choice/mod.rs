//! Which proxy a request goes through, if any. Nothing here opens a connection, and [`ProxyRules::from_env`] alone reads
//! the environment.

mod list;
mod no_proxy;
mod rules;
#[cfg(test)]
mod tests;
mod variables;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

pub use list::ProxyChoice;
pub use rules::ProxyRules;

use super::Proxy;
use crate::error::{Error, Result};
use crate::urls::Url;

/// Which proxy the requests of a client, or one request, go through.
#[derive(Clone, Debug)]
pub(crate) enum Setting {
    /// None, whatever else says one.
    Direct,
    One(Proxy),
    /// By scheme and host.
    Rules(Arc<ProxyRules>),
    /// By a function of the caller's.
    Function(ChooseProxy),
}

impl Setting {
    /// Returns whether this is the wish to use no proxy.
    pub(crate) fn is_direct(&self) -> bool {
        matches!(self, Setting::Direct)
    }

    /// Returns the choice for a URL. The function of the caller's runs here.
    ///
    /// # Errors
    ///
    /// That of the function, and [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if it chose nothing.
    pub(crate) fn choose(&self, url: &Url) -> Result<ProxyChoice> {
        // Nobody but this machine can open its sockets.
        if url.origin().kind().is_unix() {
            return Ok(ProxyChoice::direct());
        }
        match self {
            Setting::Direct => Ok(ProxyChoice::direct()),
            Setting::One(proxy) => Ok(proxy.into()),
            Setting::Rules(rules) => Ok(rules.choose(url.origin())),
            Setting::Function(function) => function.ask(url),
        }
    }
}

/// A function of the caller's that chooses.
#[derive(Clone)]
pub(crate) struct ChooseProxy(Arc<Choose>);

type Choose = dyn Fn(&Url) -> Result<ProxyChoice> + Send + Sync;

// Its captured values are the caller's, as those of hooks are.
impl UnwindSafe for ChooseProxy {}
impl RefUnwindSafe for ChooseProxy {}

impl ChooseProxy {
    pub(crate) fn new(choose: impl Fn(&Url) -> Result<ProxyChoice> + Send + Sync + 'static) -> ChooseProxy {
        ChooseProxy(Arc::new(choose))
    }

    /// Returns what the function chooses. Fails if it fails, or chose nothing.
    pub(crate) fn ask(&self, url: &Url) -> Result<ProxyChoice> {
        let choice = (self.0)(url)?;
        if choice.ways().next().is_none() {
            return Err(Error::config("the function that chooses a proxy has returned an empty list"));
        }
        choice.proxies().try_for_each(Proxy::check)?;
        Ok(choice)
    }
}

impl fmt::Debug for ChooseProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChooseProxy")
    }
}
