"""Converts the OpenAPI schema to a Postman collection (v2.1) with one request per operation."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
# Postman's own API key auth would also send an empty key, which is refused.
SEND_KEY = [
    'const key = pm.variables.get("apiKey");',
    'if (key) { pm.request.headers.upsert({key: "X-API-Key", value: key}); }',
]
JSON = "application/json"
METHODS = ("get", "post", "put", "patch", "delete")


def collection_of(schema: Mapping[str, Any], *, site: str) -> dict[str, Any]:
    """Return a collection with a folder per tag; the variable `apiKey` is sent with every call if it is set."""
    folders: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in schema["tags"]}
    for path, item in schema["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                folders.setdefault(operation["tags"][0], []).append(_item(path, method, operation))
    return {
        "info": {"name": schema["info"]["title"], "description": schema["info"]["description"], "schema": FORMAT},
        "item": [{"name": name, "item": calls} for name, calls in folders.items() if calls],
        "auth": {"type": "noauth"},
        "event": [{"listen": "prerequest", "script": {"type": "text/javascript", "exec": SEND_KEY}}],
        "variable": [{"key": "baseUrl", "value": site}, {"key": "apiKey", "value": ""}],
    }


def _item(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    parameters = operation.get("parameters", [])
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": [{"key": "Accept", "value": _accepted(operation)}],
        "url": _url(path, parameters),
        "description": operation["description"],
    }
    body = operation.get("requestBody", {}).get("content", {}).get(JSON)
    if body is not None:
        request["header"].append({"key": "Content-Type", "value": JSON})
        request["body"] = {"mode": "raw", "raw": _text(_first(body)), "options": {"raw": {"language": "json"}}}
    return {"name": operation["summary"], "request": request, "response": _responses(request, operation)}


def _accepted(operation: Mapping[str, Any]) -> str:
    """Return JSON if the operation offers it, else its first media type."""
    media_types = [
        media_type
        for status, response in operation["responses"].items()
        if status < "300"
        for media_type in response.get("content", {})
    ]
    return JSON if JSON in media_types or not media_types else media_types[0]


def _url(path: str, parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the URL in parts; optional parameters are included but disabled."""
    path_values = {one["name"]: str(one.get("example", "")) for one in parameters if one["in"] == "path"}
    parts = [f":{part[1:-1]}" if part.startswith("{") else part for part in path.strip("/").split("/")]
    query = [
        {
            "key": one["name"],
            "value": str(_example(one)),
            "description": one.get("description", ""),
            "disabled": not one.get("required", False),
        }
        for one in parameters
        if one["in"] == "query"
    ]
    enabled = urlencode({one["key"]: one["value"] for one in query if not one["disabled"]})
    return {
        "raw": "{{baseUrl}}/" + "/".join(parts) + (f"?{enabled}" if enabled else ""),
        "host": ["{{baseUrl}}"],
        "path": parts,
        "query": query,
        "variable": [{"key": name, "value": value} for name, value in path_values.items()],
    }


def _responses(request: Mapping[str, Any], operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": f"{status}: {example.get('summary', name)}",
            "originalRequest": request,
            "code": int(status),
            "status": response["description"],
            "header": [{"key": "Content-Type", "value": media_type}],
            "body": _text(example["value"]),
        }
        for status, response in operation["responses"].items()
        if status.isdecimal()
        for media_type, content in response.get("content", {}).items()
        for name, example in content.get("examples", {}).items()
    ]


def _example(parameter: Mapping[str, Any]) -> Any:
    if "example" in parameter:
        return parameter["example"]
    examples = [example["value"] for example in parameter.get("examples", {}).values()]
    return examples[0] if examples else parameter["schema"].get("default", "")


def _first(content: Mapping[str, Any]) -> Any:
    return next(iter(content.get("examples", {}).values()), {"value": {}})["value"]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
