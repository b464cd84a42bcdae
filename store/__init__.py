"""Access to Redis: one synchronous and one asynchronous client, one reconnecting subscription, one circuit breaker.

Every app may import it. It imports no app and knows only the URL in the settings.
"""
