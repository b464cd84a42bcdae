"""Instruments, prices, quotes, news, data sources and exchange calendars.

Imported by every other app; imports only store.
"""
