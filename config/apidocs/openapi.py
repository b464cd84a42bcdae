"""Completes the OpenAPI schema with what all operations share: security, rate limits, problems, examples."""

from collections.abc import Iterator, Mapping
from typing import Any

from config.apidocs.problem_guide import REQUEST_ID, ProblemGuide, problem_guides
from config.http.problem_responses import CONTENT_TYPE
from marketdata.api import examples as marketdata_examples
from predictions.api import examples as predictions_examples
from predictions.api.batch_serializers import JOB
from predictions.api.schema import SYMBOL_TEXT

API = "/api/v1/"
ID = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
ANSWERS: Mapping[str, Any] = {**marketdata_examples.RESPONSES, **predictions_examples.ANSWERS}
PARAMETERS: Mapping[str, tuple[dict[str, Any], Any, str]] = {
    "symbol": (SYMBOL_TEXT, "AAPL", "Symbol, such as AAPL or BRK.B."),
    "forecast_id": (ID, 2481, "From a response of `/predict` or `/history`."),
    "key_id": (ID, 7, "From the list of your API keys."),
    "batch_id": ({"type": "string", "format": "uuid"}, JOB["id"], "From the `Location` of a `202`."),
    "token": ({"type": "string", "minLength": 1, "maxLength": 64}, "6f1f0f3e", "From the `Location` of a `202`."),
}
SANDBOX_SCHEMAS = ("Forecast", "History", "Metrics", "Symbols", "Prices", "Problem")
SANDBOX_OPERATIONS = ("predict", "history", "metrics", "symbols", "prices")
# Examples of required parameters only, as tools send every example.
REQUIRED_QUERY_EXAMPLES: Mapping[str, str] = {"symbols": "AAPL,NVDA"}
SANDBOX_FLAG = {"type": "boolean", "description": "True in responses to the sandbox key; otherwise absent."}
PARAMETER_DESCRIPTIONS = {
    "format": "Response format; overrides `Accept`.",
    "limit": "Maximum items per page.",
    "page": "Page number, from 1.",
}
SECURITY_SCHEMES = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "API key, starts with `hc_`."},
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of `POST /api/v1/auth/token`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "The website's session cookie; state-changing calls must also send `X-CSRFToken`.",
    },
}
HEADERS = {
    "X-Request-ID": (
        "Request id in the logs. Send your own (8 to 64 letters, digits, . _ -) to set it.",
        REQUEST_ID,
    ),
    "RateLimit-Policy": ("The limit and its window in seconds.", '"anonymous";q=10;w=60'),
    "RateLimit": ("Remaining calls and seconds until the window resets.", '"anonymous";r=9;t=60'),
    "Retry-After": ("Seconds to wait before the next request.", "42"),
}
# Problems of every operation; `default` documents all remaining statuses.
COMMON_PROBLEMS = ["malformed-address", "credentials-refused", "rate-limited", "storage-unavailable"]
DEFAULT_PROBLEMS = [
    "method-not-allowed",
    "not-acceptable",
    "length-missing",
    "body-too-large",
    "address-too-long",
    "headers-too-large",
    "unexpected",
    "crowded",
]
SANDBOX_PROBLEM = "not-in-sandbox"
BODY_PROBLEMS = ["malformed-request", "body-too-large", "unsupported-media-type"]
SYMBOL_PROBLEMS = ["malformed-symbol", "unknown-symbol"]
OPERATION_PROBLEMS: Mapping[str, list[str]] = {
    "register": ["address-taken", "password-refused", "too-many-attempts", "sign-in-unavailable", "mail-unavailable"],
    "token": ["sign-in-refused", "address-unconfirmed", "too-many-attempts", "sign-in-unavailable"],
    "make_api_key": ["too-many-keys", "expiry-refused", "key-outlives-maker"],
    "revoke_api_key": ["unknown-key"],
    "providers": ["forbidden"],
    "predict": ["unknown-horizon", "no-model", "forecast-unavailable"],
    "forecast": ["unknown-forecast"],
    "replay": ["unknown-forecast", "replay-impossible"],
    "replay_answer": ["unknown-replay", "replay-impossible"],
    "ledger_head": ["unknown-head"],
    "witnessed_heads": ["not-found"],
    "witness_head": ["head-refused", "not-found"],
    "metrics": ["unknown-version"],
    "predict_batch": [
        "batch-needs-owner",
        "malformed-idempotency-key",
        "idempotency-key-reused",
        "idempotency-key-in-use",
    ],
    "batch_job": ["unknown-batch", "not-found"],
    "cancel_batch": ["unknown-batch", "batch-finished"],
    "prices": ["empty-period", "unknown-session", "instant-ahead"],
}


LINKS: Mapping[str, Mapping[str, dict[str, str]]] = {
    "predict": {"forecast": {"forecast_id": "$response.body#/id"}, "history": {"symbol": "$response.body#/symbol"}},
    "history": {"forecast": {"forecast_id": "$response.body#/forecasts/0/id"}},
    "predict_batch": {
        "batch_job": {"batch_id": "$response.body#/id"},
        "cancel_batch": {"batch_id": "$response.body#/id"},
    },
    "forecast": {"replay": {"forecast_id": "$response.body#/id"}},
    "symbols": {
        call: {"symbol": "$response.body#/symbols/0/symbol"} for call in ("predict", "prices", "sentiment", "history")
    },
}


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing hook of drf-spectacular: add what all operations share."""
    components = result["components"]
    components["securitySchemes"] = SECURITY_SCHEMES
    components["headers"] = {
        name: {"description": description, "schema": {"type": "string"}, "example": example}
        for name, (description, example) in HEADERS.items()
    }
    for name in SANDBOX_SCHEMAS:
        components["schemas"][name]["properties"]["sandbox"] = SANDBOX_FLAG
    # Extension members such as `symbol` and `suggestions`.
    components["schemas"]["Problem"]["additionalProperties"] = True
    guide = problem_guides()
    for method, operation in operations_of(result):
        _secure(operation)
        _describe_parameters(operation)
        _describe_idempotency_key(operation)
        _close_body(operation, components["schemas"])
        _add_problems(method, operation, guide)
        _add_headers(operation)
        _add_success_examples(operation)
        _add_links(operation)
    return result


def operations_of(schema: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every operation of the API with its method."""
    for path, item in schema["paths"].items():
        if path.startswith(API):
            yield from ((method, operation) for method, operation in item.items() if method != "parameters")


def _secure(operation: dict[str, Any]) -> None:
    """List the security schemes as alternatives, and none if the operation allows anonymous calls."""
    security = operation.get("security", [])
    if any(security):
        operation["security"] = [{name: []} for name in SECURITY_SCHEMES] + ([{}] if {} in security else [])


def _describe_parameters(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["name"] in PARAMETER_DESCRIPTIONS:
            parameter.setdefault("description", PARAMETER_DESCRIPTIONS[parameter["name"]])
        if parameter["in"] == "query" and parameter["name"] in REQUIRED_QUERY_EXAMPLES:
            parameter["example"] = REQUIRED_QUERY_EXAMPLES[parameter["name"]]
        if parameter["in"] == "path" and parameter["name"] in PARAMETERS:
            schema, example, description = PARAMETERS[parameter["name"]]
            parameter.update(schema=schema, example=example, description=description)


def _describe_idempotency_key(operation: dict[str, Any]) -> None:
    """Move the header Idempotency-Key from the parameters to the description.

    A key reused with another body is refused, which a schema cannot express, so test tools would report a failure.
    """
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "Idempotency-Key":
            operation["parameters"].remove(parameter)
            operation["description"] += f" Optional header `Idempotency-Key`: {parameter['description']}"
            return


def _close_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Refuse additional fields in request bodies."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schemas[content["schema"]["$ref"].rpartition("/")[2]]["additionalProperties"] = False


def _add_problems(method: str, operation: dict[str, Any], guide: Mapping[str, ProblemGuide]) -> None:
    """Add a response for each error status, with an example of each problem."""
    responses = operation["responses"]
    slugs_by_status: dict[str, list[str]] = {status: [] for status in responses if status >= "400"}
    parameters = operation.get("parameters", [])
    takes_symbol, call = any(one["name"] == "symbol" for one in parameters), operation["operationId"]
    for slug in [
        *OPERATION_PROBLEMS.get(call, []),
        *(SYMBOL_PROBLEMS if takes_symbol else []),
        # The view of predict parses its query without serializers and reports one kind of problem.
        "malformed-request" if call == "predict" else "invalid-request",
        *(BODY_PROBLEMS if "requestBody" in operation else []),
        *(["authentication-needed"] if {} not in operation["security"] else []),
        *(["scope-missing"] if any(operation["security"]) else []),
        *(["csrf-failed"] if method != "get" else []),
        *COMMON_PROBLEMS,
    ]:
        slugs_by_status.setdefault(str(guide[slug].problem.status), []).append(slug)
    for status, slugs in slugs_by_status.items():
        responses[status] = _problem_response(dict.fromkeys(slugs), guide)
    rest = DEFAULT_PROBLEMS if call in SANDBOX_OPERATIONS else [*DEFAULT_PROBLEMS, SANDBOX_PROBLEM]
    responses["default"] = _problem_response(dict.fromkeys(rest), guide)
    operation["responses"] = dict(sorted(responses.items()))


def _problem_response(slugs: Mapping[str, None], guide: Mapping[str, ProblemGuide]) -> dict[str, Any]:
    examples = {slug: {"summary": guide[slug].problem.title, "value": guide[slug].example} for slug in slugs}
    titles = "; ".join(guide[slug].problem.title for slug in slugs)
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    return {"description": f"{titles}.", "content": {CONTENT_TYPE: content}}


def _add_headers(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        common = ["X-Request-ID", "RateLimit-Policy", "RateLimit"]
        retry = ["Retry-After"] if status in ("202", "429", "503") else []
        shared = {name: {"$ref": f"#/components/headers/{name}"} for name in [*common, *retry]}
        response["headers"] = {**response.get("headers", {}), **shared}


def _add_success_examples(operation: dict[str, Any]) -> None:
    """Add the example of a successful response, if the view has none."""
    for status, response in operation["responses"].items():
        response["description"] = response.get("description") or ("Accepted." if status == "202" else "Success.")
        for media_type, content in response.get("content", {}).items() if status < "300" else ():
            variant = ".csv" if media_type == "text/csv" else ".202" if status == "202" else ""
            example = ANSWERS.get(operation["operationId"] + variant)
            if "examples" not in content and example is not None:
                content["examples"] = {"response": {"value": example}}


def _add_links(operation: dict[str, Any]) -> None:
    """Add links to operations that take values of the response."""
    links = LINKS.get(operation["operationId"])
    if links:
        status = "202" if "202" in operation["responses"] else "200"
        operation["responses"][status]["links"] = {
            call: {"operationId": call, "parameters": parameters} for call, parameters in links.items()
        }
