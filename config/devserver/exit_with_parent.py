"""Run PROGRAM so that it ends when process PID does (Linux): `python -m config.devserver.exit_with_parent PID PROG`."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def run_with_parent(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the program; leaves at once when the parent is gone already."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        return
    os.execvp(command[0], command)  # noqa: S606  # the command comes from the supervisor


if __name__ == "__main__":
    run_with_parent(sys.argv[1:])
