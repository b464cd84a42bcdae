"""Starts and stops PostgreSQL and Valkey for a clone whose environment names no others."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from config.devserver.cluster import URL_VARIABLES, Cluster
from config.devserver.errors import EmbeddedProblem
from config.devserver.paths import ROOT

__all__ = ["EmbeddedProblem", "data_folder", "needs_servers", "provided", "revive", "servers_for"]

WITHOUT_SERVERS = frozenset(
    {
        "", "-h", "--help", "--version", "help", "version", "check", "makemigrations", "collectstatic", "findstatic",
        "spectacular", "diffsettings", "makemessages", "compilemessages", "startapp", "startproject", "evaluate",
        "check_leaks", "score_texts", "sendtestemail", "lintmigrations",
    }
)  # fmt: skip
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_CANNOT_RUN = 1
EXIT_TERMINATED = 128 + signal.SIGTERM


def needs_servers(arguments: list[str]) -> bool:
    """Whether this management command reads or writes the database or Redis."""
    command = arguments[1] if len(arguments) > 1 else ""
    if {"-h", "--help"} & set(arguments):
        return False
    if command == "check":
        return "--database" in arguments
    return command not in WITHOUT_SERVERS


@contextmanager
def servers_for(arguments: list[str]) -> Iterator[None]:
    """Have servers while a management command runs, when it needs them; says in one sentence why it cannot."""
    if not needs_servers(arguments):
        yield
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(provided(os.environ, data_folder(os.environ)))
        except EmbeddedProblem as problem:
            sys.stderr.write(f"{problem}\n")
            sys.exit(EXIT_CANNOT_RUN)
        yield


@contextmanager
def provided(variables: MutableMapping[str, str], folder: Path, *, durable: bool = True) -> Iterator[None]:
    """Fill in DATABASE_URL and REDIS_URL where they are missing, with servers of `folder` that run meanwhile."""
    missing = tuple(name for name, variable in URL_VARIABLES.items() if not variables.get(variable))
    if not missing:
        yield
        return
    _leave_in_order_when_terminated()
    with ExitStack() as stack:
        urls = stack.enter_context(Cluster(folder, durable=durable).attached(missing))
        variables.update(urls)
        try:
            yield
        finally:
            for name in urls:
                del variables[name]
            with _undisturbed():
                stack.close()


def revive(variables: Mapping[str, str], folder: Path) -> list[str]:
    """Start again those servers of `folder` that `variables` name and that have died; returns what they are called.

    Each comes back at its old address with its data. Raises EmbeddedProblem when one does not.
    """
    return Cluster(folder).revive(variables)


def data_folder(variables: Mapping[str, str]) -> Path:
    """The clone's data folder."""
    return Path(variables.get("HINDCAST_DATA_DIR") or ROOT / ".data").resolve()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold off an impatient second Ctrl-C until the servers are stopped, which takes seconds at most."""
    former = {number: signal.signal(number, signal.SIG_IGN) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _leave_in_order_when_terminated() -> None:
    """Let a termination unwind the stack, so that the servers are stopped, unless somebody handles it already."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(EXIT_TERMINATED)
