"""Clients of price, quote and news sources: the only modules of this app with outside HTTP.

A vendor's JSON never leaves its module; callers get records of `base`.
Imported by `marketdata.services`; other apps may import `sample`.
"""
