"""Errors of the embedded servers."""


class EmbeddedServerError(Exception):
    """The servers cannot run; the message is one sentence for the terminal."""
