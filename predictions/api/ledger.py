"""`/ledger/...`: where the chain ends, where it ended on each day, and its rows as they were hashed."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata.api.base import ReadView
from marketdata.api.schema import NOT_MODIFIED, RESPONSE_HEADERS, problem_responses, response_header
from predictions.api.serializers import EntriesIn, HeadIn, HeadOut, HeadsOut
from predictions.models import LedgerHead
from predictions.sealing import instant_text
from predictions.selectors.ledger import chain_end, day_heads, head_of, newest_head, sealed_rows

NDJSON = "application/x-ndjson"


class NdjsonRenderer(BaseRenderer):
    """Lines that are JSON already."""

    media_type = NDJSON
    format = "ndjson"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return str(data).encode()


class TextRenderer(NdjsonRenderer):
    """The same lines for clients that know no other text than plain text."""

    media_type = "text/plain"
    format = "text"


class Head(ReadView):
    """Where the chain ends."""

    query_serializer = HeadIn

    @extend_schema(
        operation_id="ledger_head",
        tags=["ledger"],
        summary="The head of the ledger",
        description="Now, or when a day's head was taken. Whoever keeps one can prove a later change.",
        parameters=[query_serializer, *RESPONSE_HEADERS],
        responses={200: HeadOut, 304: NOT_MODIFIED, **problem_responses(400, 404, 429)},
    )
    def get(self, request: Request) -> Response:
        """The state asked for, and the day's head."""
        day = self.validated_query(request).get("day")
        if day is not None:
            head = _told(head_of(day))
            return Response({name: head[name] for name in ("count", "last_forecast", "head_hash")} | {"day_head": head})
        newest = newest_head()
        end = chain_end(newest)
        return Response(
            {
                "count": end.count,
                "last_forecast": end.last_forecast,
                "head_hash": end.head_hash,
                "day_head": None if newest is None else _told(newest),
            }
        )


class Heads(ReadView):
    """Where the chain ended on each day."""

    @extend_schema(
        operation_id="ledger_heads",
        tags=["ledger"],
        summary="The heads of all days",
        parameters=RESPONSE_HEADERS,
        responses={200: HeadsOut, 304: NOT_MODIFIED, **problem_responses(429)},
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        return Response({"heads": [_told(head) for head in day_heads()]})


class Entries(ReadView):
    """The rows of the chain."""

    query_serializer = EntriesIn
    renderer_classes = (NdjsonRenderer, TextRenderer)

    @extend_schema(
        operation_id="ledger_entries",
        tags=["ledger"],
        summary="The ledger, as it was hashed",
        description="JSON lines, oldest first: two hashes, and in `said` exactly the text that was hashed. "
        "`docs/verify_ledger.py` checks such lines; `Link` leads to the next ones.",
        parameters=[
            query_serializer,
            *RESPONSE_HEADERS,
            response_header("Link", "Where the next lines are; absent at the end.", ["200"]),
        ],
        responses={
            (200, NDJSON): OpenApiTypes.BINARY,
            (200, TextRenderer.media_type): str,
            304: NOT_MODIFIED,
            **problem_responses(400, 429),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """A part of the export."""
        asked = self.validated_query(request)
        rows = list(sealed_rows(after=asked["after"], most=asked["limit"] + 1))
        part = rows[: asked["limit"]]
        # Not the framework's own answer, which loses its type when there are no lines.
        form: Any = request.accepted_renderer
        answer = HttpResponse(
            "".join(row.line for row in part), content_type=f"{form.media_type}; charset={form.charset}"
        )
        if len(rows) > len(part):
            following = f"{reverse('predictions-api:ledger-entries')}?after={part[-1].key}&limit={asked['limit']}"
            answer["Link"] = f'<{following}>; rel="next"'
        return answer


def _told(head: LedgerHead) -> dict[str, Any]:
    return {
        "day": head.day.isoformat(),
        "count": head.count,
        "last_forecast": head.last_forecast_id,
        "head_hash": head.head_hash,
        "outcomes": head.outcomes,
        "last_outcome": head.last_outcome,
        "outcomes_hash": head.outcomes_hash,
        "recorded_at": instant_text(head.recorded_at),
        "previous_hash": head.previous_hash,
        "entry_hash": head.entry_hash,
    }
