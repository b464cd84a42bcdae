"""Data-quality rules for bars and quotes: reject what cannot be a market price, never repair it. Pure."""
