"""Clients of data vendors; the only package that sends HTTP requests to them."""
