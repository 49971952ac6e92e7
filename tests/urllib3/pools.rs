//! The mechanics of a pool (POOL).
