//! The life of sockets under a pool (LIFE).
