"""Instruments, prices, quotes, news, data sources and exchange calendars."""
