"""Writes of accounts: registration, keys, tokens, audit, deletion.

Imported by API, views, admin and tasks; one transaction per call.
"""
