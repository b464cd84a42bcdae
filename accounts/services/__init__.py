"""Writes of accounts: registration, keys, tokens, audit, deletion."""
