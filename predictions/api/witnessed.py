"""`/ledger/witnessed`: signed heads of other deployments, whose public keys the settings name."""

from typing import Any

from django.conf import settings
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from marketdata.api.base import ApiView
from marketdata.api.schema import RESPONSE_HEADERS, problem_responses
from predictions.api.examples import ANSWERS
from predictions.api.serializers import SignedHeadIn, WitnessedHeadOut, WitnessedHeadsOut
from predictions.ledger_payload import instant_text
from predictions.models import WitnessedHead
from predictions.selectors.ledger import witnessed_heads
from predictions.services.head_publication import witness_head
from predictions.signed_head import SignedHead

SENT = {name: ANSWERS["witness_head"][name] for name in ("public_key", "previous_hash", "payload", "signature")}


class WitnessedHeadsView(ApiView):
    """Heads of other deployments."""

    required_scope = "read"

    @extend_schema(
        operation_id="witnessed_heads",
        tags=["ledger"],
        summary="List heads of other deployments",
        description="The 1,000 newest heads that other deployments sent. Two heads of one key and day prove that a "
        "ledger was rewritten. 404 unless this deployment is a witness.",
        parameters=RESPONSE_HEADERS,
        responses={200: WitnessedHeadsOut, **problem_responses(404, 429)},
    )
    def get(self, request: Request) -> Response:
        """Return the heads, newest first."""
        _require_witness()
        return Response({"heads": [_witnessed(head) for head in witnessed_heads()]})

    @extend_schema(
        operation_id="witness_head",
        tags=["ledger"],
        summary="Send a signed head of another deployment",
        description="Stores the head if its key is trusted here. A repeated call answers 200 with the stored head.",
        parameters=RESPONSE_HEADERS,
        request=SignedHeadIn,
        responses={200: WitnessedHeadOut, 201: WitnessedHeadOut, **problem_responses(400, 404, 413, 415, 422, 429)},
        examples=[OpenApiExample("a head", value=SENT, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Verify and store a head."""
        _require_witness()
        received = SignedHeadIn(data=request.data)
        received.is_valid(raise_exception=True)
        head, created = witness_head(SignedHead(**received.validated_data), now=clock.now())
        return Response(_witnessed(head), status=201 if created else 200)


def _require_witness() -> None:
    """Raise Http404 where no key is trusted."""
    if not settings.HINDCAST_LEDGER.trusted_keys:
        raise Http404


def _witnessed(head: WitnessedHead) -> dict[str, Any]:
    return {
        "day": head.day.isoformat(),
        "count": head.count,
        "head_hash": head.head_hash,
        "payload": head.payload,
        "previous_hash": head.previous_hash,
        "entry_hash": head.entry_hash,
        "signature": head.signature,
        "public_key": head.public_key,
        "received_at": instant_text(head.received_at),
    }
