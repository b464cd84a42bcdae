"""Servers that the API is compared with. They run in an environment of their own and import nothing of the product."""
