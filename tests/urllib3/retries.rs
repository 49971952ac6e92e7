//! Retries, as values and end to end (RT, RETI).
