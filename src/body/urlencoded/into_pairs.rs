//! The types that pairs for a query or a form are made from.

use crate::error::Result;

/// A value that has pairs of names and values, for a query or a form.
///
/// With the feature `json`, which is on by default, it is every value that implements `serde::Serialize` and is a map, a
/// struct or a sequence of pairs: an array, a slice or a `Vec` of pairs, a `HashMap`, a struct of your own. The value of
/// a pair is a text, a number, a boolean, or a variant without a value. `None` adds no pair. A sequence as a value adds
/// one pair for each element, all with the same name.
///
/// Without the feature it is an array, a slice, a `Vec` or a map of pairs of texts, numbers and booleans.
///
/// Collect an iterator before: `.collect::<Vec<_>>()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no pairs of names and values",
    note = "give an array, a slice, a `Vec` or a map of pairs, or with the feature `json` a reference to a value that implements `serde::Serialize`",
    note = "collect an iterator of pairs into a `Vec` before"
)]
pub trait IntoPairs: sealed::Pairs {}

impl<T: sealed::Pairs> IntoPairs for T {}

pub(crate) mod sealed {
    use super::Result;

    #[diagnostic::on_unimplemented(
        message = "`{Self}` has no pairs of names and values",
        note = "give an array, a slice, a `Vec` or a map of pairs, or with the feature `json` a reference to a value that implements `serde::Serialize`",
        note = "collect an iterator of pairs into a `Vec` before"
    )]
    pub trait Pairs {
        #[doc(hidden)]
        fn pairs(&self) -> Result<Vec<(String, String)>>;
    }
}

#[cfg(feature = "json")]
impl<T: serde::Serialize> sealed::Pairs for T {
    fn pairs(&self) -> Result<Vec<(String, String)>> {
        super::serializer::pairs(self)
    }
}

/// All of these implement `serde::Serialize`, too, so a program that compiles without the feature compiles with it.
#[cfg(not(feature = "json"))]
mod without_serde {
    use std::borrow::Cow;
    use std::collections::{BTreeMap, HashMap};

    use super::{Result, sealed::Pairs};

    pub trait Plain {
        fn text(&self) -> String;
    }

    impl<T: Plain + ?Sized> Plain for &T {
        fn text(&self) -> String {
            (**self).text()
        }
    }

    macro_rules! plain {
        ($($type:ty),*) => {$(
            impl Plain for $type {
                fn text(&self) -> String {
                    self.to_string()
                }
            }
        )*};
    }

    plain!(str, String, Cow<'_, str>, bool, char);
    plain!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

    macro_rules! floats {
        ($($type:ty),*) => {$(
            impl Plain for $type {
                /// Keeps the `.0` of a whole number, as the serializer does.
                fn text(&self) -> String {
                    format!("{self:?}")
                }
            }
        )*};
    }

    floats!(f32, f64);

    fn collect<'a, K: Plain + 'a, V: Plain + 'a>(
        pairs: impl Iterator<Item = (&'a K, &'a V)>,
    ) -> Result<Vec<(String, String)>> {
        Ok(pairs.map(|(name, value)| (name.text(), value.text())).collect())
    }

    impl<T: Pairs + ?Sized> Pairs for &T {
        fn pairs(&self) -> Result<Vec<(String, String)>> {
            (**self).pairs()
        }
    }

    impl<K: Plain, V: Plain> Pairs for [(K, V)] {
        fn pairs(&self) -> Result<Vec<(String, String)>> {
            collect(self.iter().map(|(name, value)| (name, value)))
        }
    }

    impl<K: Plain, V: Plain, const LEN: usize> Pairs for [(K, V); LEN] {
        fn pairs(&self) -> Result<Vec<(String, String)>> {
            self[..].pairs()
        }
    }

    impl<K: Plain, V: Plain> Pairs for Vec<(K, V)> {
        fn pairs(&self) -> Result<Vec<(String, String)>> {
            self[..].pairs()
        }
    }

    impl<K: Plain, V: Plain, S> Pairs for HashMap<K, V, S> {
        fn pairs(&self) -> Result<Vec<(String, String)>> {
            collect(self.iter())
        }
    }

    impl<K: Plain, V: Plain> Pairs for BTreeMap<K, V> {
        fn pairs(&self) -> Result<Vec<(String, String)>> {
            collect(self.iter())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    fn of(value: impl super::IntoPairs) -> String {
        let pairs = value.pairs().unwrap();
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    #[test]
    fn pairs_of_every_type() {
        let owned = vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())];
        assert_eq!(of([("a", "1"), ("a", "2")]), "a=1&a=2");
        assert_eq!(of([("a", 1), ("a", 2)]), "a=1&a=2");
        assert_eq!(of(&[("a", 1), ("a", 2)][..]), "a=1&a=2");
        assert_eq!(of(owned.as_slice()), "a=1&a=2");
        assert_eq!(of(&owned), "a=1&a=2");
        assert_eq!(of(owned), "a=1&a=2");
        assert_eq!(of(HashMap::from([("a", true)])), "a=true");
        assert_eq!(of(BTreeMap::from([("a", 1.5), ("b", 2.0)])), "a=1.5&b=2.0");
        assert_eq!(of([("", ""); 0]), "");
    }
}
