"""Embedded PostgreSQL and Valkey, process supervisor, demo and time-lapse for a clone without servers of its own."""
