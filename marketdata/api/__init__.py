"""REST endpoints for symbols, prices, quotes, sentiment and data sources.

Imported by `config.urls`; predictions reuses its fields and pagination.
"""
