"""The `edge` process: cached forecasts straight from Redis, the WebSocket stream, Django for what is left.

A call passes `protocol`, `parse`, `authenticate`, `lookup` and `render`; `application` hands the others to Django.
`asgi.py` is the entry point. Only the server's command line and the tests import this package.
"""
