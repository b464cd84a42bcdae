"""The OpenAPI schema: descriptions, and valid examples of every response and problem."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from config.apidocs.openapi import OPERATION_PROBLEMS, SECURITY_SCHEMES, operations_of
from config.apidocs.problem_guide import problem_guides
from config.http.problem_responses import CONTENT_TYPE

SCHEMA: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
OPERATIONS = {operation["operationId"]: operation for _, operation in operations_of(SCHEMA)}
every_call = pytest.mark.parametrize("name", OPERATIONS)


def examples(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], str, Any]]:
    """Status, media type, schema, name and value of each example of an answer."""
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            for name, example in content.get("examples", {}).items():
                yield status, media_type, content["schema"], name, example["value"]


def judge(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": SCHEMA["components"]})


def test_the_schema_is_one_of_openapi_3_1() -> None:
    assert SCHEMA["openapi"].startswith("3.1")
    assert len(OPERATIONS) >= 14
    assert set(SCHEMA["components"]["securitySchemes"]) == {"apiKey", "bearer", "session"} == set(SECURITY_SCHEMES)
    assert set(OPERATION_PROBLEMS) <= set(OPERATIONS)
    assert {tag for one in OPERATIONS.values() for tag in one["tags"]} == {tag["name"] for tag in SCHEMA["tags"]}


@every_call
def test_every_operation_is_described(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    assert "security" in operation
    for parameter in operation.get("parameters", []):
        assert parameter.get("description"), parameter["name"]
        if parameter["in"] == "path":
            assert parameter.get("example") is not None, parameter["name"]


@every_call
def test_every_response_has_a_valid_example(name: str) -> None:
    documented: dict[str, set[str]] = {}
    for status, media_type, schema, example_name, value in examples(OPERATIONS[name]):
        judge(schema).validate(value)
        documented.setdefault(status, set()).add(media_type)
        if media_type == CONTENT_TYPE:
            assert example_name in problem_guides()
            assert status in (str(value["status"]), "default")
    for status, response in OPERATIONS[name]["responses"].items():
        assert documented.get(status, set()) == set(response.get("content", {})), status
    body = OPERATIONS[name].get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        assert body.get("examples")
        for example in body["examples"].values():
            judge(body["schema"]).validate(example["value"])


def test_schema_and_view_refuse_nul_bytes(client: Client) -> None:
    for call, field in (("register", "password"), ("token", "password"), ("logout", "refresh")):
        content = OPERATIONS[call]["requestBody"]["content"]["application/json"]
        example = next(iter(content["examples"].values()))["value"]
        body = {**example, field: "a \n text\x00 of some length"}
        assert not judge(content["schema"]).is_valid(body)
        assert judge(content["schema"]).is_valid({**body, field: "a \n text of some length"})
        answer = client.post(f"/api/v1/auth/{call}", body, content_type="application/json")
        assert answer.json()["errors"] == {field: ["Null characters are not allowed."]}


def test_request_bodies_refuse_additional_fields() -> None:
    bodies = [one["requestBody"]["content"] for one in OPERATIONS.values() if "requestBody" in one]
    assert len(bodies) >= 6
    for content in bodies:
        judged = judge(content["application/json"]["schema"])
        example = next(iter(content["application/json"]["examples"].values()))["value"]
        assert judged.is_valid(example)
        assert not judged.is_valid({**example, "frobnicate": 1})


def test_operations_list_exactly_their_problems() -> None:
    problems = {
        name: {status: set(response["content"][CONTENT_TYPE]["examples"]) for status, response in refusals(one)}
        for name, one in OPERATIONS.items()
    }
    assert problems["revoke_api_key"]["404"] == {"unknown-key"}
    assert problems["make_api_key"]["409"] == {"too-many-keys", "expiry-refused", "key-outlives-maker"}
    assert problems["token"]["429"] == {"too-many-attempts", "rate-limited"}
    assert problems["token"]["401"] == {"sign-in-refused", "credentials-refused"}
    assert problems["me"]["401"] == {"authentication-needed", "credentials-refused"}
    assert problems["providers"]["403"] == {"forbidden", "scope-missing"}
    assert problems["predict"]["403"] == {"scope-missing"}
    assert "not-in-sandbox" in problems["quotes"]["default"] - problems["predict"]["default"]


def refusals(operation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(status, response) for status, response in operation["responses"].items() if status >= "400"]


def test_problem_schema_allows_extension_members() -> None:
    problem = SCHEMA["components"]["schemas"]["Problem"]
    assert problem["additionalProperties"] is True
    assert "suggestions" not in problem["properties"]


@every_call
def test_required_parameters_have_an_example(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", []):
        if parameter.get("required"):
            named = [one["value"] for one in parameter.get("examples", {}).values()]
            assert [parameter.get("example"), *named] != [None], parameter["name"]


@every_call
def test_every_response_documents_rate_limit_headers(name: str) -> None:
    responses = OPERATIONS[name]["responses"]
    assert {"429", "default"} <= set(responses)
    assert any(status.startswith("2") for status in responses)
    for status, response in responses.items():
        assert {"RateLimit", "RateLimit-Policy", "X-Request-ID"} <= set(response["headers"])
        assert ("Retry-After" in response["headers"]) or status not in ("429", "503")
    assert set(SCHEMA["components"]["headers"]) >= {"RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"}


@every_call
def test_text_and_numbers_have_limits(name: str) -> None:
    """No field of a question is without bounds."""
    operation = OPERATIONS[name]
    fields = {one["name"]: one["schema"] for one in operation.get("parameters", [])}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        body = content["schema"]
        body = SCHEMA["components"]["schemas"][body["$ref"].rsplit("/", 1)[1]] if "$ref" in body else body
        fields |= body.get("properties", {})
    for field, schema in fields.items():
        if schema.get("type") == "string" and "enum" not in schema and "format" not in schema:
            assert "maxLength" in schema or "pattern" in schema, field
        if schema.get("type") == "integer" and "enum" not in schema:
            assert {"minimum", "maximum"} <= set(schema), field


def test_served_schema_equals_the_checked_one(client: Client) -> None:
    served = client.get("/api/schema?format=json").json()
    assert served["paths"].keys() == SCHEMA["paths"].keys()
    assert served["info"]["version"] == SCHEMA["info"]["version"]
    assert client.get("/api/schema").status_code == 200


def test_schema_names_the_server(client: Client) -> None:
    served = client.get("/api/schema?format=json", headers={"host": "localhost:9000"}).json()
    assert served["servers"] == [{"url": "http://localhost:9000"}]
    assert client.get("/api/schema?format=json").json()["servers"] == [{"url": "http://testserver"}]
