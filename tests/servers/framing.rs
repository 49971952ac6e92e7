//! Heads, chunks and trailers that break a rule: what is accepted, what is refused, what it costs.
