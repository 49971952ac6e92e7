//! The ways of a choice of proxies: when the next one is tried.

use crate::dial::Route;
use crate::error::{Bound, Error, ErrorKind, Phase};

/// Returns whether the error says that nothing could be reached by a route: the proxy, or the server itself where there is
/// no proxy. What answers can be reached, also if its answer is no. A certificate that is not valid is such an answer.
/// A server whose address the caller's filter refuses is not to be reached by another way, either.
pub(super) fn is_out_of_reach(error: &Error, route: &Route) -> bool {
    let at_the_way = match route.proxy() {
        Some(_) => error.phase() == Phase::Proxy,
        None => matches!(error.phase(), Phase::Resolve | Phase::Connect),
    };
    let is_failure = match error.kind() {
        ErrorKind::Resolve | ErrorKind::Connect => true,
        ErrorKind::AddressRefused => route.proxy().is_some(),
        ErrorKind::Disconnected | ErrorKind::Io => true,
        ErrorKind::Timeout(bound) => matches!(bound, Bound::Connect | Bound::Resolve | Bound::Tls),
        ErrorKind::Tls => !error.lasts(),
        _ => false,
    };
    at_the_way && is_failure && !error.is_after_an_answer() && !error.maybe_processed() && !error.ends_call()
}
