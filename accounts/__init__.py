"""Users: sign-in, tokens, API keys, plans, limits, usage and audit."""
