//! What may be the address of a Unix socket.

use super::invalid::InvalidUrl;

/// The longest path that the address of a Unix socket holds, without the NUL at its end.
pub(super) const MAX_PATH: usize = if HAS_ABSTRACT { 107 } else { 103 };

/// Whether the system has abstract addresses.
pub(super) const HAS_ABSTRACT: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Refuses what cannot be the address of a Unix socket.
pub(super) fn check_path(path: &str) -> Result<(), InvalidUrl> {
    let (name, is_abstract) = path.strip_prefix('\0').map_or((path, false), |name| (name, true));
    match name {
        "" => Err(InvalidUrl::SocketPath),
        // In an abstract address every byte counts: a program that gives the whole buffer as its address pads its name.
        _ if if is_abstract { !HAS_ABSTRACT } else { path.contains('\0') } => Err(InvalidUrl::SocketPathNul),
        _ if name.len() > MAX_PATH => Err(InvalidUrl::SocketPathTooLong),
        _ => Ok(()),
    }
}
