"""What this app says over the stream: one module a channel."""
