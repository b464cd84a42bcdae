"""Clients of data vendors; the only package that sends HTTP requests to them.

Imported by marketdata.services; vendor formats never leave it.
"""
