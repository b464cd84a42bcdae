"""Channels that deliver alerts; one module per channel.

Imported by alerts.services; no other app imports it.
"""
