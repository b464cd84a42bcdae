"""Check that a refusal is documented in the schema of its operation."""

import json
from typing import Any

from config.apidocs.schema_cache import full_schema
from config.http.problem_responses import CONTENT_TYPE


def assert_documented(path: str, method: str, answer: Any) -> None:
    """Assert that the operation names this problem for this status, or for every status that it does not list."""
    slug = json.loads(answer.content)["type"].rpartition("#")[2]
    responses = full_schema()["paths"][path][method.lower()]["responses"]
    response = responses.get(str(answer.status_code), responses["default"])
    named = response["content"][CONTENT_TYPE]["examples"]
    assert slug in named, f"{method} {path}: {answer.status_code} {slug} is not among {list(named)}"
