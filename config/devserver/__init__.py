"""Embedded PostgreSQL and Valkey, process supervisor, demo and time-lapse for a clone without servers of its own.

Imported by `manage.py`, the commands of `config` and the tests; production processes do not import it.
"""
