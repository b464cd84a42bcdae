"""REST endpoints for symbols, prices, quotes, sentiment and data sources."""
