"""API guides: every snippet runs as printed."""

import html
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from django.urls import reverse
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from config.apidocs.openapi import operations_of
from config.apidocs.sandbox import SANDBOX_KEY
from config.apidocs.schema_cache import full_schema
from config.tests.api_site import called_market, served_site

BLOCK = re.compile(r'<code class="language-(\w+)">(.*?)</code>', re.DOTALL)
RUNNERS = {
    "bash": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "--eval"],
}
JSON = "application/json"
TEXT = {"type": "string"}
SWITCHED = {"required": ["key", "value", "disabled"], "properties": {"value": TEXT, "disabled": {"type": "boolean"}}}
FILLED = {"required": ["key", "value"], "properties": {"value": {"type": "string", "minLength": 1}}}
URL = {
    "type": "object",
    "required": ["raw", "host", "path", "query", "variable"],
    "properties": {
        "raw": {"type": "string", "pattern": r"^\{\{baseUrl\}\}/api/v1/"},
        "path": {"type": "array", "items": TEXT, "minItems": 3},
        "query": {
            "type": "array",
            "items": {
                "required": ["key", "value", "disabled"],
                "properties": {"value": TEXT, "disabled": {"type": "boolean"}},
            },
        },
        "variable": {
            "type": "array",
            "items": {"required": ["key", "value"], "properties": {"value": {"minLength": 1}}},
        },
    },
}
REQUEST = {
    "type": "object",
    "required": ["method", "header", "url"],
    "properties": {
        "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
        "header": {"type": "array", "items": {"required": ["key", "value"]}},
        "url": URL,
        "body": {"required": ["mode", "raw"], "properties": {"mode": {"const": "raw"}, "raw": TEXT}},
    },
}
RESPONSE = {
    "type": "object",
    "required": ["name", "originalRequest", "code", "status", "header", "body"],
    "properties": {"originalRequest": REQUEST, "code": {"type": "integer"}, "body": TEXT},
}
CALL = {
    "type": "object",
    "required": ["name", "request", "response"],
    "properties": {"request": REQUEST, "response": {"type": "array", "items": RESPONSE, "minItems": 1}},
}
FOLDER = {"required": ["name", "item"], "properties": {"item": {"type": "array", "items": CALL, "minItems": 1}}}
# What the format (v2.1.0) asks of the parts that are used here.
COLLECTION = {
    "type": "object",
    "required": ["info", "item", "auth", "variable"],
    "properties": {
        "info": {
            "required": ["name", "schema"],
            "properties": {"schema": {"const": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"}},
        },
        "item": {
            "type": "array",
            "items": {
                "required": ["name", "item"],
                "properties": {"item": {"type": "array", "items": CALL, "minItems": 1}},
            },
        },
        "auth": {"required": ["type"], "properties": {"type": {"const": "noauth"}}},
        "event": {
            "type": "array",
            "items": {
                "required": ["listen", "script"],
                "properties": {"script": {"properties": {"exec": {"type": "array", "items": {"type": "string"}}}}},
            },
        },
    },
}


def snippets(page: str) -> list[tuple[str, str]]:
    """Language and text of each block of code."""
    return [(language, html.unescape(text)) for language, text in BLOCK.findall(page)]


@pytest.mark.parametrize("name", ["api-start", "api-policy", "problems"])
def test_guides_link_to_each_other(client: Client, name: str) -> None:
    page = client.get(reverse(name)).content.decode()
    assert "<h1>" in page
    for other in ("api-start", "docs", "redoc", "problems", "api-policy", "schema", "postman"):
        assert f'href="{reverse(other)}"' in page


def test_guide_snippets_use_this_site_and_the_sandbox_key(client: Client) -> None:
    page = client.get(reverse("api-start")).content.decode()
    assert {language for language, _ in snippets(page)} == set(RUNNERS)
    assert "hindcast.example" not in page
    assert "SANDBOX_KEY" not in page
    assert page.count(SANDBOX_KEY) >= 4
    assert "http://testserver/api/v1/predict" in page


def test_collection_has_every_operation_in_postman_format(client: Client) -> None:
    answer = client.get(reverse("postman"))
    assert "attachment" in answer["Content-Disposition"]
    body: dict[str, Any] = answer.json()
    Draft202012Validator(COLLECTION).validate(body)
    assert {"key": "baseUrl", "value": "http://testserver"} in body["variable"]
    assert any('upsert({key: "X-API-Key"' in line for event in body["event"] for line in event["script"]["exec"])
    calls = [call for folder in body["item"] for call in folder["item"]]
    assert sorted(call["name"] for call in calls) == sorted(one["summary"] for _, one in operations_of(full_schema()))
    predict = next(call for call in calls if call["request"]["url"]["path"] == ["api", "v1", "predict"])
    assert predict["request"]["url"]["raw"] == "{{baseUrl}}/api/v1/predict?symbol=AAPL"
    assert {response["code"] for response in predict["response"]} >= {200, 400, 404, 429, 503}


@pytest.mark.django_db
def test_collection_requests_succeed_unchanged(client: Client) -> None:
    called_market()
    folders: list[dict[str, Any]] = client.get(reverse("postman")).json()["item"]
    for call in (call for folder in folders for call in folder["item"]):
        request = call["request"]
        url = request["url"]["raw"].replace("{{baseUrl}}", "")
        for place in request["url"]["variable"]:
            url = url.replace(f":{place['key']}", place["value"])
        headers = {header["key"]: header["value"] for header in request["header"]}
        body = request.get("body", {}).get("raw", "")
        answer = client.generic(request["method"], url, body, content_type=JSON, headers=headers)
        assert answer.status_code not in (400, 405, 406, 415), f"{call['name']}: {answer.content[:200]!r}"


@pytest.fixture
def address(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    called_market()
    with served_site(tmp_path) as found:
        yield found


@pytest.mark.slow
def test_every_guide_snippet_runs(address: str) -> None:
    page = httpx.get(f"{address}/api/start", trust_env=False).text
    ran: dict[str, list[str]] = {}
    for language, text in snippets(page):
        command = [*RUNNERS[language], text]
        if shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, f"{text}\n{done.stderr}"
            ran.setdefault(language, []).append(done.stdout)
    assert len(ran["bash"]) >= 3
    assert '"sandbox": true' not in ran["bash"][0]
    assert all('"symbol"' in output for output in ran["bash"])
    assert "80% interval" in ran["python"][0]
    assert all("2023-" in output for output in ran.get("javascript", ["2023-"]))
