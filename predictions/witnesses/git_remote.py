"""Witness: a git remote, to which a local clone is pushed."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from predictions.errors import WitnessFailed
from predictions.signed_head import HeadDocument
from predictions.witnesses.heads_file import append_line

FILE = "heads.jsonl"
TIMEOUT_S = 60.0
AUTHOR = ("-c", "user.name=Hindcast", "-c", "user.email=hindcast@localhost", "-c", "commit.gpgsign=false")


@dataclass(frozen=True, slots=True)
class GitRemote:
    """Commits heads to `heads.jsonl` of a local clone and pushes the clone."""

    clone: Path
    name: str = "git"

    def publish(self, head: HeadDocument) -> str:
        """Commit the head unless it is committed, and push. A failed push is repeated by the next call."""
        try:
            append_line(self.clone / FILE, head.line)
            self._git("add", FILE)
            if self._git("status", "--porcelain", "--", FILE):
                self._git(*AUTHOR, "commit", "--quiet", "--message", f"Ledger head of {head.day}", "--", FILE)
            self._git("push", "--quiet")
            return f"commit {self._git('rev-parse', 'HEAD')}"
        except subprocess.TimeoutExpired as error:
            raise WitnessFailed(self.name, f"`git {error.cmd[3]}` took more than {TIMEOUT_S:.0f} s") from error
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
            raise WitnessFailed(self.name, reason) from error
        except OSError as error:
            raise WitnessFailed(self.name, str(error)) from error

    def _git(self, *arguments: str) -> str:
        # Without a terminal, git must fail instead of asking for a password.
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
        command = ["git", "-C", str(self.clone), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S, env=environment,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout.strip()
