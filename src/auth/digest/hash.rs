//! The hashes of digests. No other file knows whether they are compiled in.

/// The hashes, in the order of their strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hash {
    Md5,
    Sha256,
    /// SHA-512/256, which is not a shortened SHA-512. Section 3.9.2 of RFC 7616 confuses them; erratum 4897 corrects
    /// it.
    Sha512Trunc,
}

pub(super) const COMPILED_IN: bool = cfg!(feature = "digest-auth");

impl Hash {
    /// Hashes these parts with colons between them, and returns hexadecimal digits. Returns `None` if no hashes are
    /// compiled in.
    #[cfg(feature = "digest-auth")]
    pub(super) fn of(self, parts: &[&[u8]]) -> Option<String> {
        fn hex<D: sha2::Digest>(parts: &[&[u8]]) -> String {
            let mut state = D::new();
            for (n, part) in parts.iter().enumerate() {
                state.update(if n > 0 { &b":"[..] } else { b"" });
                state.update(part);
            }
            super::hex(&state.finalize())
        }
        Some(match self {
            Hash::Md5 => hex::<md5::Md5>(parts),
            Hash::Sha256 => hex::<sha2::Sha256>(parts),
            Hash::Sha512Trunc => hex::<sha2::Sha512_256>(parts),
        })
    }

    #[cfg(not(feature = "digest-auth"))]
    pub(super) fn of(self, _: &[&[u8]]) -> Option<String> {
        None
    }
}
