//! Takes a connection for one request out of its pool.

use super::terms::Terms;
use crate::error::{Bound, Error, ErrorKind, Phase, Reason, Result};
use crate::pool::PoolLease;
use crate::pool::gate::{Checked, Refused};
use crate::pool::key::PoolKey;

/// Takes an idle connection of the pool, or opens one.
#[inline(always)]
pub(super) fn checkout(terms: Terms<'_>, key: &PoolKey) -> Result<PoolLease> {
    let Terms { engine, until, .. } = terms;
    match engine.gate.checkout_within(key, until, terms.pool_timeout()) {
        Ok(Checked::Lease(lease)) => match terms.check_cancelled(Phase::Pool) {
            Ok(()) => Ok(lease),
            Err(cancelled) => Err(returned(lease, cancelled)),
        },
        Ok(Checked::Permit(permit)) if terms.reach().is_closed_pool() => {
            drop(permit);
            Err(Error::new(terms.reach().closed(), Phase::Pool))
        }
        Ok(Checked::Permit(permit)) => {
            terms.check_cancelled(Phase::Pool)?;
            // The registry may have retired the pool while this call waited. This look-up adds it again, so that the
            // new connection belongs to a known pool.
            terms.key(key.route(), key.config().scheme.as_ref())?;
            engine.open(permit, key, &terms.dialing())
        }
        Err(refused) => Err(refusal(terms, refused)),
    }
}

/// Gives the connection back that a call got in the moment in which it was cancelled.
#[cold]
#[inline(never)]
fn returned(lease: PoolLease, cancelled: Error) -> Error {
    lease.put_back();
    cancelled
}

/// Returns the error of a refused checkout.
fn refusal(terms: Terms<'_>, refused: Refused) -> Error {
    let until = terms.until;
    let reason = match refused {
        Refused::Closed => terms.reach().closed(),
        Refused::Cancelled => {
            return until.cancelled(Phase::Pool).unwrap_or_else(|| Error::new(Reason::all_cancelled(), Phase::Pool));
        }
        Refused::TimedOut { bound: Bound::Pool, waited, in_use, held_here, queued } => {
            ErrorKind::PoolTimeout { waited, in_use, held_here, queued }.into()
        }
        Refused::WouldDeadlock { held } => ErrorKind::WouldDeadlock { held }.into(),
        Refused::TimedOut { .. } => return until.timed_out(Phase::Pool),
    };
    Error::new(reason, Phase::Pool)
}
