"""`/ledger/...`: the end of the chain, the daily heads, and the rows with their payloads."""

from collections.abc import Mapping, Sequence
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
from predictions.api.serializers import EntriesIn, HeadIn, HeadOut, HeadsOut, LedgerKeysOut
from predictions.ledger_payload import instant_text
from predictions.models import LedgerKey
from predictions.selectors.ledger import chain_end, chain_rows, day_heads, head_of, ledger_keys, newest_head
from predictions.signed_head import day_head

NDJSON = "application/x-ndjson"


class NdjsonRenderer(BaseRenderer):
    """Render lines that are JSON already."""

    media_type = NDJSON
    format = "ndjson"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return str(data).encode()


class TextRenderer(NdjsonRenderer):
    """Render the same lines for clients that accept only plain text."""

    media_type = "text/plain"
    format = "text"


class LedgerHeadView(ReadView):
    """The end of the chain."""

    query_serializer = HeadIn

    @extend_schema(
        operation_id="ledger_head",
        tags=["ledger"],
        summary="Get the ledger head",
        description="The current head, or the head of a day. Save one, and you can prove any later change.",
        parameters=[query_serializer, *RESPONSE_HEADERS],
        responses={200: HeadOut, 304: NOT_MODIFIED, **problem_responses(400, 404, 429)},
    )
    def get(self, request: Request) -> Response:
        """Return the requested head with the daily head."""
        day = self.validated_query(request).get("day")
        if day is not None:
            head = day_head(head_of(day))
            return Response({name: head[name] for name in ("count", "last_forecast", "head_hash")} | {"day_head": head})
        newest = newest_head()
        end = chain_end(newest)
        return Response(
            {
                "count": end.count,
                "last_forecast": end.last_forecast,
                "head_hash": end.head_hash,
                "day_head": None if newest is None else day_head(newest),
            }
        )


class LedgerHeadsView(ReadView):
    """The daily heads."""

    @extend_schema(
        operation_id="ledger_heads",
        tags=["ledger"],
        summary="List daily ledger heads",
        parameters=RESPONSE_HEADERS,
        responses={200: HeadsOut, 304: NOT_MODIFIED, **problem_responses(429)},
    )
    def get(self, request: Request) -> Response:
        """Return the heads, newest first."""
        return Response({"heads": [day_head(head) for head in day_heads()]})


class LedgerKeyView(ReadView):
    """The public keys of signatures."""

    @extend_schema(
        operation_id="ledger_key",
        tags=["ledger"],
        summary="Get the public keys of the ledger",
        description="Ed25519 keys that verify `signature` of daily heads. Save them once from a source that you trust; "
        "`docs/verify_ledger.py` takes the saved response. A replaced key stays listed and signs its successor.",
        parameters=RESPONSE_HEADERS,
        responses={200: LedgerKeysOut, 304: NOT_MODIFIED, **problem_responses(429)},
    )
    def get(self, request: Request) -> Response:
        """Return the keys, newest first."""
        return Response(_published_keys(ledger_keys()))


class LedgerEntriesView(ReadView):
    """The rows of the chain."""

    query_serializer = EntriesIn
    renderer_classes = (NdjsonRenderer, TextRenderer)

    @extend_schema(
        operation_id="ledger_entries",
        tags=["ledger"],
        summary="Export the ledger as JSON lines",
        description="JSON lines, oldest first: `previous_hash`, `entry_hash`, and in `payload` exactly the text that "
        "is hashed, itself JSON. `docs/verify_ledger.py` verifies such lines; `Link` leads to the next page.",
        parameters=[
            query_serializer,
            *RESPONSE_HEADERS,
            response_header("Link", "Address of the next page; absent on the last.", ["200"]),
        ],
        responses={
            (200, NDJSON): OpenApiTypes.BINARY,
            (200, TextRenderer.media_type): str,
            304: NOT_MODIFIED,
            **problem_responses(400, 429),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """Return one page of the export."""
        query = self.validated_query(request)
        rows = list(chain_rows(after=query["after"], limit=query["limit"] + 1))
        page = rows[: query["limit"]]
        # The framework's own response loses its content type when there are no lines.
        renderer: Any = request.accepted_renderer
        response = HttpResponse(
            "".join(row.line for row in page), content_type=f"{renderer.media_type}; charset={renderer.charset}"
        )
        if len(rows) > len(page):
            following = f"{reverse('predictions-api:ledger-entries')}?after={page[-1].key}&limit={query['limit']}"
            response["Link"] = f'<{following}>; rel="next"'
        return response


def _published_keys(keys: Sequence[LedgerKey]) -> dict[str, Any]:
    newest = keys[0] if keys else None
    return {
        "key_id": newest and newest.key_id,
        "public_key": newest and newest.public_key,
        "keys": [
            {
                "key_id": key.key_id,
                "public_key": key.public_key,
                "added_at": instant_text(key.added_at),
                "endorsed_by": key.endorsed_by or None,
                "endorsement": key.endorsement or None,
            }
            for key in keys
        ],
    }
