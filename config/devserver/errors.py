"""What can go wrong with the embedded servers."""


class EmbeddedProblem(Exception):
    """The servers cannot run here; the message is one sentence for the person at the terminal."""
