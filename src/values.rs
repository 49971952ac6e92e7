//! Values of the caller's own on a request or a response.

use std::sync::LazyLock;

use http::Extensions;

/// Values of the caller's own. Without any, they are one empty pointer: most requests have none, and moving and dropping
/// them costs next to nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(Option<Box<Extensions>>);

impl Values {
    pub(crate) const NONE: Values = Values(None);

    pub(crate) fn none() -> &'static Extensions {
        static NONE: LazyLock<Extensions> = LazyLock::new(Extensions::new);
        &NONE
    }

    pub(crate) fn get(&self) -> &Extensions {
        self.0.as_deref().unwrap_or_else(|| Values::none())
    }

    pub(crate) fn get_mut(&mut self) -> &mut Extensions {
        self.0.get_or_insert_default()
    }
}

impl From<Extensions> for Values {
    fn from(values: Extensions) -> Values {
        Values((!values.is_empty()).then(|| Box::new(values)))
    }
}
