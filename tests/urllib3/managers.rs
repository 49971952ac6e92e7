//! Pool managers and their recently used pools (PM, LRU).
