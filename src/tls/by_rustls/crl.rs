//! Revocation lists.
//!
//! webpki takes the first list that is about a certificate, whatever its date (rustls/webpki#488). So the newest list of
//! an issuer goes first, and each of the others is asked alone whether it revokes something: an old list that does so
//! still counts, and never hides a new one.

use rustls_pki_types::CertificateRevocationListDer;
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, ExpirationPolicy, OwnedCertRevocationList, RevocationCheckDepth,
    RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use crate::error::{Error, Result};
use crate::tls::der;
use crate::tls::settings::Revocation;

/// The revocation lists of a configuration.
pub(super) struct Lists {
    /// The newest list of each issuer, then the second one of each, and so on.
    rounds: Vec<Vec<CertRevocationList<'static>>>,
    depth: RevocationCheckDepth,
    unknown: UnknownStatusPolicy,
    expired: ExpirationPolicy,
}

impl Lists {
    /// Returns `None` if there is no list.
    pub(super) fn new(revocation: &Revocation) -> Result<Option<Lists>> {
        let Revocation { lists, refuse_unknown, accept_expired, server_alone } = revocation;
        if lists.is_empty() {
            return Ok(None);
        }
        let mut read = Vec::new();
        for list in lists {
            read.push((dated(list)?, CertRevocationList::from(owned(list)?)));
        }
        read.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
        let mut rounds: Vec<Vec<CertRevocationList<'static>>> = Vec::new();
        for (_, list) in read {
            let has_none = |round: &&mut Vec<CertRevocationList<'static>>| {
                round.iter().all(|other| other.issuer() != list.issuer())
            };
            match rounds.iter_mut().find(has_none) {
                Some(round) => round.push(list),
                None => rounds.push(vec![list]),
            }
        }
        Ok(Some(Lists {
            rounds,
            depth: if *server_alone { RevocationCheckDepth::EndEntity } else { RevocationCheckDepth::Chain },
            unknown: if *refuse_unknown { UnknownStatusPolicy::Deny } else { UnknownStatusPolicy::Allow },
            expired: if *accept_expired { ExpirationPolicy::Ignore } else { ExpirationPolicy::Enforce },
        }))
    }

    /// Verifies a chain by `verify`, and looks its certificates up.
    pub(super) fn verify(
        &self,
        verify: impl Fn(Option<RevocationOptions<'_>>) -> Result<(), webpki::Error>,
    ) -> Result<(), webpki::Error> {
        let by = |lists: &[&CertRevocationList<'_>], unknown, expired| {
            let options = RevocationOptionsBuilder::new(lists).ok().map(|options| {
                options.with_depth(self.depth).with_status_policy(unknown).with_expiration_policy(expired).build()
            });
            verify(options)
        };
        for round in self.rounds.iter().skip(1) {
            let lists: Vec<_> = round.iter().collect();
            let result = by(&lists, UnknownStatusPolicy::Allow, ExpirationPolicy::Ignore);
            if let Err(revoked @ webpki::Error::CertRevoked) = result {
                return Err(revoked);
            }
        }
        let all: Vec<_> = self.rounds.iter().flatten().collect();
        by(&all, self.unknown, self.expired)
    }
}

/// Returns the time of the list's update.
fn dated(list: &[u8]) -> Result<i64> {
    der::revocation_list(list).map(|(_, time)| time).ok_or_else(|| Error::config("a revocation list cannot be read"))
}

fn owned(list: &[u8]) -> Result<OwnedCertRevocationList> {
    let list = CertificateRevocationListDer::from(list);
    BorrowedCertRevocationList::from_der(&list).and_then(|list| list.to_owned()).map_err(|error| {
        Error::config(match error {
            webpki::Error::UnsupportedDeltaCrl => {
                "a revocation list is the delta of another one, which is not supported"
            }
            webpki::Error::UnsupportedIndirectCrl => {
                "a revocation list has entries of other issuers, which is not supported"
            }
            webpki::Error::UnsupportedCrlVersion => "a revocation list is of version 1, which is not supported",
            _ => "a revocation list cannot be read",
        })
    })
}
