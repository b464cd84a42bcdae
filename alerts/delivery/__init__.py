"""Channels that deliver alerts; one module per channel."""
