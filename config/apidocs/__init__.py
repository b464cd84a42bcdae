"""API documentation: OpenAPI schema, guides, Postman collection and sandbox."""
