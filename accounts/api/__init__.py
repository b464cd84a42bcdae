"""REST endpoints for authentication, keys and usage.

Imported by `config.urls` and the DRF settings; imports services and selectors.
"""
