"""Example responses by operation, for the documentation and the sandbox key."""

import json
from pathlib import Path
from typing import Any

from predictions.api.batch_serializers import JOB

ANSWERS: dict[str, Any] = json.loads(Path(__file__).with_name("examples.json").read_text(encoding="utf-8"))

_ISSUED = {"symbol": "AAPL", "status": "issued", "forecast": ANSWERS["predict"]}
_PROBLEM = {
    "symbol": "APPL",
    "status": "problem",
    "problem": {
        "type": "/api/problems#unknown-symbol",
        "title": "No such symbol",
        "detail": "Unknown symbol: APPL.",
        "symbol": "APPL",
        "suggestions": ["AAPL"],
        "status": 404,
    },
}
ANSWERS |= {
    "predict_batch": {"predictions": [_ISSUED, _PROBLEM]},
    "batch_job": {**JOB, "page": 1, "next_page": 2, "predictions": [_ISSUED, _PROBLEM]},
    "cancel_batch": {**JOB, "status": "cancelled"},
}
