"""Writes of market data: ingestion, import, quotes, news, health of sources."""
