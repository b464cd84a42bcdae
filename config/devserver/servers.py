"""PostgreSQL and Valkey for a clone whose environment names no other servers."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from config.devserver.embedded_servers import URL_VARIABLES, EmbeddedServers
from config.devserver.errors import EmbeddedServerError
from config.devserver.paths import ROOT

__all__ = ["EmbeddedServerError", "command_servers", "data_folder", "ensure_servers", "needs_servers", "restart_dead"]

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
def command_servers(arguments: list[str]) -> Iterator[None]:
    """Run servers during a management command that needs them; exits with one sentence if they cannot run."""
    if not needs_servers(arguments):
        yield
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(ensure_servers(os.environ, data_folder(os.environ)))
        except EmbeddedServerError as problem:
            sys.stderr.write(f"{problem}\n")
            sys.exit(EXIT_CANNOT_RUN)
        yield


@contextmanager
def ensure_servers(
    variables: MutableMapping[str, str], folder: Path, *, durable: bool = True, as_superuser: bool = False
) -> Iterator[None]:
    """Set missing DATABASE_URL and REDIS_URL to servers of `folder` for the duration of the block."""
    missing = tuple(name for name, variable in URL_VARIABLES.items() if not variables.get(variable))
    if not missing:
        yield
        return
    _exit_on_termination()
    with ExitStack() as stack:
        urls = stack.enter_context(EmbeddedServers(folder, durable, as_superuser).attach(missing))
        variables.update(urls)
        try:
            yield
        finally:
            for name in urls:
                del variables[name]
            with _ignore_signals():
                stack.close()


def restart_dead(variables: Mapping[str, str], folder: Path) -> list[str]:
    """Restart the dead servers of `folder` that `variables` name, at their old addresses; returns their names.

    Raises EmbeddedServerError if a server does not start.
    """
    return EmbeddedServers(folder).restart_dead(variables)


def data_folder(variables: Mapping[str, str]) -> Path:
    """Return the clone's data folder."""
    return Path(variables.get("HINDCAST_DATA_DIR") or ROOT / ".data").resolve()


@contextmanager
def _ignore_signals() -> Iterator[None]:
    """Ignore a second Ctrl-C while the servers stop, which takes a few seconds."""
    former = {number: signal.signal(number, signal.SIG_IGN) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _exit_on_termination() -> None:
    """Turn SIGTERM and SIGHUP into SystemExit, so that the servers are stopped; existing handlers stay."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(EXIT_TERMINATED)
