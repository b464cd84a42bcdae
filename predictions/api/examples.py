"""Answers as they look, for the documentation and for callers with the sandbox key; by operation."""

import json
from pathlib import Path
from typing import Any

ANSWERS: dict[str, Any] = json.loads(Path(__file__).with_name("examples.json").read_text(encoding="utf-8"))
