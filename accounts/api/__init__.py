"""REST endpoints for authentication, keys and usage."""
