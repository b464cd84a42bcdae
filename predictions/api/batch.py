"""`/predict/batch`: forecasts for many stocks, synchronously or as a job."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.module_loading import import_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.limits import retry_after_s
from accounts.models import Scope
from accounts.principals import principal_of
from accounts.services.idempotency import has_started, respond_once
from marketdata import clock
from marketdata.api.base import ApiView
from marketdata.api.schema import RESPONSE_HEADERS, problem_responses, response_header
from predictions.api.batch_serializers import (
    CANCELLED,
    JOB,
    WAITING,
    BatchIn,
    BatchJobOut,
    BatchOut,
    BatchPageOut,
    PageIn,
)
from predictions.conf import MAX_BATCH_SYMBOLS, MAX_IMMEDIATE_SYMBOLS
from predictions.errors import BatchNeedsOwner
from predictions.jobs import enqueue_pieces
from predictions.models import BatchJob, BatchPiece
from predictions.readpath.batch_lookup import PROBLEM, SymbolResult, lookup_many
from predictions.readpath.rendering import encode_json
from predictions.selectors.batch import job_of, piece_of
from predictions.services.batch import cancel_batch, deserialize_error, open_batch

POLL_AFTER_S = 1
JSON = "application/json"
NO_STORE = {"Cache-Control": "no-store"}


class BatchCreate(ApiView):
    """Create batches."""

    required_scope = "read"

    def cost_of(self, request: Request) -> int:
        """One call a symbol; just one where nothing will be done for them, as there are too many or it was done before.

        A body that cannot be read is refused here, as it can be read only once.
        """
        payload: Any = request.data
        symbols = payload.get("symbols") if isinstance(payload, dict) else None
        if not isinstance(symbols, list) or not 1 < len(symbols) <= MAX_BATCH_SYMBOLS:
            return 1
        http = request._request
        return 1 if has_started(http, caller=principal_of(http).bucket, now=clock.now()) else len(symbols)

    @extend_schema(
        operation_id="predict_batch",
        tags=["forecasts"],
        summary="Create a batch of forecasts",
        description="Up to 50 symbols are answered immediately; up to 10,000 become a job, whose URL is in `Location` "
        "and whose progress is also sent on the stream's channel `jobs`. A symbol without a forecast gets its own "
        "problem and does not affect the others. Each symbol costs one call; a job larger than the minute's quota "
        "uses 5/6 of it, so that the client can still poll. A repeated call with the same `Idempotency-Key` costs one.",
        request=BatchIn,
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="Unique key of the call, 1 to 255 visible characters. A repeated call within a day returns "
                "the first response.",
            ),
            *RESPONSE_HEADERS[1:],
            response_header("Location", "URL of the job.", ["202"]),
            response_header("Idempotency-Replayed", "`true` if this is a stored response.", ["200", "202"]),
        ],
        responses={200: BatchOut, 202: BatchJobOut, **problem_responses(400, 401, 403, 409, 413, 415, 422, 429, 503)},
        examples=[
            OpenApiExample("two stocks", value={"symbols": ["AAPL", "BRK.B"], "horizon": 5}, request_only=True),
            OpenApiExample("a job", value=JOB, response_only=True, status_codes=["202"]),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Answer at once, or open a job and say where it is; the same again under the same key."""
        form = BatchIn(data=request.data)
        form.is_valid(raise_exception=True)
        words, horizon = form.validated_data["symbols"], form.validated_data["horizon"]
        return respond_once(
            request._request,
            encode_json(form.validated_data),
            partial(self._answer, request, words, horizon),
            caller=principal_of(request._request).bucket,
            now=clock.now(),
        )

    def _answer(self, request: Request, words: list[str], horizon: int) -> HttpResponse:
        if len(words) <= MAX_IMMEDIATE_SYMBOLS:
            return _at_once(lookup_many(words, horizon, now=clock.now()))
        caller = principal_of(request._request)
        if caller.user_id is None:
            raise BatchNeedsOwner(MAX_IMMEDIATE_SYMBOLS)
        caller.require(Scope.PREDICT)
        job = open_batch(owner_id=caller.user_id, words=words, horizon=horizon, now=clock.now())
        enqueue_pieces(job.pieces.order_by("number").values_list("pk", flat=True))
        job_payload = BatchJobOut(job).data
        headers = NO_STORE | {
            "Location": job_payload["url"],
            "Retry-After": str(retry_after_s(request._request, POLL_AFTER_S)),
        }
        return HttpResponse(JSONRenderer().render(job_payload), status=202, content_type=JSON, headers=headers)


class BatchState(ApiView):
    """One job of the caller's."""

    query_serializer = PageIn

    @property
    def required_scope(self) -> str:
        """Reading needs the scope `read`; cancelling needs `predict`, as starting does."""
        return "read" if self.request.method in ("GET", "HEAD", "OPTIONS") else "predict"

    @extend_schema(
        operation_id="batch_job",
        tags=["forecasts"],
        summary="Batch status and results",
        parameters=[query_serializer, *RESPONSE_HEADERS[1:]],
        responses={200: BatchPageOut, **problem_responses(400, 401, 404, 429)},
    )
    def get(self, request: Request, batch_id: str) -> Response:
        """Return the status and a page of results, including pending ones."""
        number = self.validated_query(request)["page"]
        job = job_of(request.user.pk, batch_id)
        piece = piece_of(job, number)
        if piece is None:
            raise NotFound(f"The batch has no page {number}.")
        job_payload = BatchJobOut(job).data
        page = {"page": number, "next_page": number + 1 if number < job_payload["pages"] else None}
        return Response({**job_payload, **page, "predictions": _answer_payloads(job, piece)}, headers=NO_STORE)

    @extend_schema(
        operation_id="cancel_batch",
        tags=["forecasts"],
        summary="Cancel a batch",
        description="Results that are complete stay available until the job expires.",
        parameters=RESPONSE_HEADERS[1:],
        responses={200: BatchJobOut, **problem_responses(401, 404, 409, 429)},
    )
    def delete(self, request: Request, batch_id: str) -> Response:
        """Cancel the batch; a second call changes nothing."""
        job = cancel_batch(job_pk=job_of(request.user.pk, batch_id).pk, now=clock.now())
        return Response(BatchJobOut(job).data, headers=NO_STORE)


def _at_once(job_payload: list[SymbolResult]) -> HttpResponse:
    """The answers, put together from ready-made bytes."""
    body = b'{"predictions":[' + b",".join(_encode_result(result) for result in job_payload) + b"]}"
    return HttpResponse(body, content_type=JSON, headers=NO_STORE)


def _encode_result(result: SymbolResult) -> bytes:
    head = json.dumps({"symbol": result.as_written, "status": result.status}, separators=(",", ":")).encode()
    if result.body is not None:
        return head[:-1] + b',"forecast":' + result.body + b"}"
    assert result.error is not None
    return head[:-1] + b',"problem":' + encode_json(_problem_payload(result.error)) + b"}"


def _answer_payloads(job: BatchJob, piece: BatchPiece) -> list[dict[str, Any]]:
    """A page's answers as they are told; before a worker has them, each symbol says how it stands."""
    if piece.answers is None:
        status = CANCELLED if job.state == BatchJob.State.CANCELLED else WAITING
        return [{"symbol": word, "status": status} for word in piece.symbols]
    return [_answer_payload(answer) for answer in piece.answers]


def _answer_payload(answer: Mapping[str, Any]) -> dict[str, Any]:
    if answer["status"] != PROBLEM:
        return dict(answer)
    return {"symbol": answer["symbol"], "status": PROBLEM, "problem": _problem_payload(deserialize_error(answer))}


def _problem_payload(error: Exception) -> dict[str, Any]:
    """The error in the form that a call of its own would have answered with."""
    described: Callable[[Exception], dict[str, Any]] = import_string(settings.HINDCAST_PROBLEM_OF)
    return described(error)
