"""Completes the OpenAPI schema: what is the same for every call (who asks, limits, problems), and examples."""

from collections.abc import Iterator, Mapping
from typing import Any

from config.apidocs.problem_guide import REQUEST_ID, Explained, explained
from config.http.problem_responses import CONTENT_TYPE
from marketdata.api import examples as marketdata_examples
from predictions.api import examples as predictions_examples
from predictions.api.batch_serializers import JOB
from predictions.api.schema import SYMBOL_TEXT

API = "/api/v1/"
ID = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
ANSWERS: Mapping[str, Any] = {**marketdata_examples.RESPONSES, **predictions_examples.ANSWERS}
PARAMETERS: Mapping[str, tuple[dict[str, Any], Any, str]] = {
    "symbol": (SYMBOL_TEXT, "AAPL", "Such as AAPL or BRK.B."),
    "forecast_id": (ID, 2481, "From an answer of `/predict` or `/history`."),
    "key_id": (ID, 7, "From the list of your keys."),
    "batch_id": ({"type": "string", "format": "uuid"}, JOB["id"], "From the `Location` of a `202`."),
    "token": ({"type": "string", "minLength": 1, "maxLength": 64}, "6f1f0f3e", "From the `Location` of a `202`."),
}
SANDBOXED = ("Forecast", "History", "Metrics", "Symbols", "Prices", "Problem")
SANDBOX_CALLS = ("predict", "history", "metrics", "symbols", "prices")
# Those that may not be left out; a tool that fills a call in sends every example.
ASKED_WITH: Mapping[str, str] = {"symbols": "AAPL,NVDA"}
IN_SANDBOX = {"type": "boolean", "description": "Only there, and true, in the fixed answers to the sandbox key."}
WORDS = {
    "format": "The form of the answer; goes before `Accept`.",
    "limit": "At most so many in one answer.",
    "page": "Which page, counted from 1.",
}
SECURITY_SCHEMES = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key that begins with `hc_`."},
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
        "description": "Who is signed in on the site; calls that change something also send `X-CSRFToken`.",
    },
}
HEADERS = {
    "X-Request-ID": (
        "Names this call in the log; send one of your own (8 to 64 letters, digits, . _ -) to set it.",
        REQUEST_ID,
    ),
    "RateLimit-Policy": ("The limit and its window in seconds.", '"anonymous";q=10;w=60'),
    "RateLimit": ("Calls left and seconds until the window closes.", '"anonymous";r=9;t=60'),
    "Retry-After": ("Seconds to wait before asking again.", "42"),
}
# What a call may be refused for beside what is said at its view; `default` stands for every other status.
ALWAYS = ["malformed-address", "credentials-refused", "rate-limited", "storage-unavailable"]
REST = [
    "method-not-allowed",
    "not-acceptable",
    "length-missing",
    "body-too-large",
    "address-too-long",
    "headers-too-large",
    "unexpected",
    "crowded",
]
SANDBOX_REFUSES = "not-in-sandbox"
WITH_BODY = ["malformed-request", "body-too-large", "unsupported-media-type"]
SYMBOL_PROBLEMS = ["malformed-symbol", "unknown-symbol"]
OF_CALLS: Mapping[str, list[str]] = {
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
    """The last step of drf-spectacular: the schema with everything that every call shares."""
    components = result["components"]
    components["securitySchemes"] = SECURITY_SCHEMES
    components["headers"] = {
        name: {"description": words, "schema": {"type": "string"}, "example": example}
        for name, (words, example) in HEADERS.items()
    }
    for name in SANDBOXED:
        components["schemas"][name]["properties"]["sandbox"] = IN_SANDBOX
    # Facts such as `symbol` and `suggestions`.
    components["schemas"]["Problem"]["additionalProperties"] = True
    guide = explained()
    for method, operation in operations_of(result):
        _secure(operation)
        _describe_parameters(operation)
        _tell_idempotency(operation)
        _close_body(operation, components["schemas"])
        _add_problems(method, operation, guide)
        _add_headers(operation)
        _add_answer(operation)
        _add_links(operation)
    return result


def operations_of(schema: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation of the API with its method."""
    for path, item in schema["paths"].items():
        if path.startswith(API):
            yield from ((method, operation) for method, operation in item.items() if method != "parameters")


def _secure(operation: dict[str, Any]) -> None:
    """Anybody, or one of the three ways to say who asks; calls that take no credentials stay as they are."""
    named = operation.get("security", [])
    if any(named):
        operation["security"] = [{name: []} for name in SECURITY_SCHEMES] + ([{}] if {} in named else [])


def _describe_parameters(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["name"] in WORDS:
            parameter.setdefault("description", WORDS[parameter["name"]])
        if parameter["in"] == "query" and parameter["name"] in ASKED_WITH:
            parameter["example"] = ASKED_WITH[parameter["name"]]
        if parameter["in"] == "path" and parameter["name"] in PARAMETERS:
            schema, example, words = PARAMETERS[parameter["name"]]
            parameter.update(schema=schema, example=example, description=words)


def _tell_idempotency(operation: dict[str, Any]) -> None:
    """The key in words rather than as a parameter: a key that comes again with another body is refused.

    No schema can say so, and tools that make calls from a schema would take such a refusal for a fault.
    """
    named = [one for one in operation.get("parameters", []) if one["name"] == "Idempotency-Key"]
    if named:
        operation["parameters"].remove(named[0])
        told = "Takes the header `Idempotency-Key`, 1 to 255 visible characters: "
        operation["description"] += f" {told}{named[0]['description'][0].lower()}{named[0]['description'][1:]}"


def _close_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A body has no other fields than those."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schemas[content["schema"]["$ref"].rpartition("/")[2]]["additionalProperties"] = False


def _add_problems(method: str, operation: dict[str, Any], guide: Mapping[str, Explained]) -> None:
    """A response for each status with an example for each problem that it may be."""
    responses = operation["responses"]
    wanted: dict[str, list[str]] = {status: [] for status in responses if status >= "400"}
    parameters = operation.get("parameters", [])
    takes_symbol, call = any(one["name"] == "symbol" for one in parameters), operation["operationId"]
    for slug in [
        *OF_CALLS.get(call, []),
        *(SYMBOL_PROBLEMS if takes_symbol else []),
        # The plain read view has one word for all that can be wrong with a query.
        "malformed-request" if call == "predict" else "invalid-request",
        *(WITH_BODY if "requestBody" in operation else []),
        *(["authentication-needed"] if {} not in operation["security"] else []),
        *(["scope-missing"] if any(operation["security"]) else []),
        *(["csrf-failed"] if method != "get" else []),
        *ALWAYS,
    ]:
        wanted.setdefault(str(guide[slug].problem.status), []).append(slug)
    for status, slugs in wanted.items():
        responses[status] = _problem_response(dict.fromkeys(slugs), guide)
    rest = REST if call in SANDBOX_CALLS else [*REST, SANDBOX_REFUSES]
    responses["default"] = _problem_response(dict.fromkeys(rest), guide)
    operation["responses"] = dict(sorted(responses.items()))


def _problem_response(slugs: Mapping[str, None], guide: Mapping[str, Explained]) -> dict[str, Any]:
    examples = {slug: {"summary": guide[slug].problem.title, "value": guide[slug].example} for slug in slugs}
    told = "; ".join(guide[slug].problem.title for slug in slugs)
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    return {"description": f"{told}.", "content": {CONTENT_TYPE: content}}


def _add_headers(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        named = ["X-Request-ID", "RateLimit-Policy", "RateLimit"]
        later = ["Retry-After"] if status in ("202", "429", "503") else []
        shared = {name: {"$ref": f"#/components/headers/{name}"} for name in [*named, *later]}
        response["headers"] = {**response.get("headers", {}), **shared}


def _add_answer(operation: dict[str, Any]) -> None:
    """The example of success, where the view names none itself."""
    for status, response in operation["responses"].items():
        response["description"] = response.get("description") or ("Not yet." if status == "202" else "Answered.")
        for media_type, content in response.get("content", {}).items() if status < "300" else ():
            form = ".csv" if media_type == "text/csv" else ".202" if status == "202" else ""
            example = ANSWERS.get(operation["operationId"] + form)
            if "examples" not in content and example is not None:
                content["examples"] = {"answer": {"value": example}}


def _add_links(operation: dict[str, Any]) -> None:
    """Where an answer leads: calls that take what it names."""
    links = LINKS.get(operation["operationId"])
    if links:
        made = "202" if "202" in operation["responses"] else "200"
        operation["responses"][made]["links"] = {
            call: {"operationId": call, "parameters": parameters} for call, parameters in links.items()
        }
