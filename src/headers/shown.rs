//! Headers for `Debug`, without their secrets.

use std::fmt;

use super::Headers;

/// Headers without the values of sensitive fields.
pub(crate) struct ShownHeaders<'a, const N: usize>(pub(crate) &'a Headers, pub(crate) [&'a [Box<str>]; N]);

impl<const N: usize> fmt::Debug for ShownHeaders<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShownHeaders(headers, sensitive) = self;
        let mut list = f.debug_list();
        for field in headers.iter() {
            match sensitive.iter().copied().flatten().any(|name| field.name().eq_ignore_ascii_case(name)) {
                true => list.entry(&format_args!("{}: ***", field.name())),
                false => list.entry(&field),
            };
        }
        list.finish()
    }
}
