//! Headers made of options, waiting, errors (UTIL).
