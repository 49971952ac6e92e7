//! The table of the configurations that are in use: equal settings give the same configuration.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::process::PerProcess;

/// The fewest configurations at which the table is searched for those that nobody uses.
const SWEEP: usize = 64;

/// The values that are in use, by their settings. The table keeps none of them alive.
pub(super) struct Table<T> {
    hasher: RandomState,
    values: HashMap<u64, Vec<Weak<T>>>,
    sweep_at: usize,
}

/// A table for each process: at a fork, a thread of the parent may hold its lock.
pub(super) type Shared<T> = PerProcess<Arc<Mutex<Table<T>>>>;

impl<T> Table<T> {
    pub(super) fn shared() -> Arc<Mutex<Table<T>>> {
        Arc::new(Mutex::new(Table { hasher: RandomState::new(), values: HashMap::new(), sweep_at: SWEEP }))
    }

    /// Returns the value that is in use for these settings, or makes one.
    pub(super) fn get<S: std::hash::Hash + PartialEq>(
        table: &Mutex<Table<T>>,
        settings: S,
        settings_of: impl Fn(&T) -> &S,
        make: impl FnOnce(S) -> T,
    ) -> Arc<T> {
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = table.hasher.hash_one(&settings);
        let equal = table.values.get(&hash).into_iter().flatten().filter_map(Weak::upgrade);
        if let Some(value) = equal.into_iter().find(|value| *settings_of(value) == settings) {
            return value;
        }
        // The next search comes when the number has doubled, so each value costs the same.
        if table.values.len() >= table.sweep_at {
            table.values.retain(|_, values| {
                values.retain(|value| value.strong_count() > 0);
                !values.is_empty()
            });
            table.sweep_at = SWEEP.max(2 * table.values.len());
        }
        let value = Arc::new(make(settings));
        table.values.entry(hash).or_default().push(Arc::downgrade(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_live_as_long_as_somebody_uses_them() {
        let table: Arc<Mutex<Table<(u32, u32)>>> = Table::shared();
        let made = std::cell::Cell::new(0);
        let get = |settings| {
            Table::get(
                &table,
                settings,
                |value| &value.0,
                |settings| {
                    made.set(made.get() + 1);
                    (settings, made.get())
                },
            )
        };
        let one = get(7);
        assert!(Arc::ptr_eq(&one, &get(7)) && !Arc::ptr_eq(&one, &get(8)));
        assert_eq!(made.get(), 2);
        drop(one);
        assert_eq!(get(7).1, 3, "a value that nobody uses is made anew");
        for settings in 0..10_000 {
            get(settings);
        }
        assert!(table.lock().unwrap().values.len() <= 2 * SWEEP);
    }
}
