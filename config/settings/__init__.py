"""Settings modules (base, local, production, test) and the readers of environment variables."""
