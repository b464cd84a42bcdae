"""API documentation: OpenAPI schema, guides, Postman collection and sandbox.

Imported by `config.urls` and the settings (by dotted name); never by an app.
"""
