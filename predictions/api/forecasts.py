"""`/forecasts/{id}` and its replay."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata.api.base import ApiView, ReadView
from marketdata.api.schema import NOT_MODIFIED, RESPONSE_HEADERS, problem_responses, response_header
from predictions.api.serializers import ReplayOut, ReplayWaitingOut, StoredForecastOut
from predictions.errors import ReplayImpossible, ReplayUnknown
from predictions.jobs import request_replay
from predictions.readpath.rendering import stored_payload
from predictions.readpath.replay_requests import ReplayRequest, get_replay
from predictions.selectors.forecasts import forecast_with_provenance

LASTING = "private, max-age=3600, immutable"
WAITING_S = "1"
REPLAY_HEADERS = [
    *RESPONSE_HEADERS,
    response_header("Location", "Where the answer will be.", ["202"]),
    response_header("Retry-After", "Seconds to wait.", ["202"]),
]


class StoredForecast(ReadView):
    """Read a stored forecast."""

    @extend_schema(
        operation_id="forecast",
        tags=["forecasts"],
        summary="Get a stored forecast",
        description="A stored forecast never changes. Its ETag is its ledger hash.",
        parameters=RESPONSE_HEADERS,
        responses={200: StoredForecastOut, 304: NOT_MODIFIED, **problem_responses(404, 429)},
    )
    def get(self, request: Request, forecast_id: int) -> Response:
        """Return the forecast with its provenance."""
        forecast = forecast_with_provenance(forecast_id)
        return Response(stored_payload(forecast), headers={"ETag": f'"{forecast.entry_hash}"'})

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if answer.status_code == 200:
            answer["Cache-Control"] = LASTING
        return answer


class ForecastReplay(ApiView):
    """Replay a stored forecast."""

    required_scope = "predict"

    @extend_schema(
        operation_id="replay",
        tags=["forecasts"],
        summary="Replay a stored forecast",
        description="A worker recomputes the forecast from its stored inputs and model files. If this takes more than "
        "five seconds, the response is `202` with the URL to poll in `Location`.",
        parameters=REPLAY_HEADERS,
        responses={200: ReplayOut, 202: ReplayWaitingOut, **problem_responses(404, 409, 429, 503)},
    )
    def get(self, request: Request, forecast_id: int) -> Response:
        """Start a replay and wait a few seconds for it."""
        return _replay_response(request_replay(forecast_id))


class ReplayAnswer(ApiView):
    """Read a replay."""

    required_scope = "read"

    @extend_schema(
        operation_id="replay_answer",
        tags=["forecasts"],
        summary="Get a replay",
        parameters=REPLAY_HEADERS,
        responses={200: ReplayOut, 202: ReplayWaitingOut, **problem_responses(404, 409, 429, 503)},
    )
    def get(self, request: Request, forecast_id: int, token: str) -> Response:
        """Returns the status of a replay without waiting."""
        replay = get_replay(token)
        if replay.forecast_id != forecast_id:
            raise ReplayUnknown(token)
        return _replay_response(replay)


def _replay_response(replay: ReplayRequest) -> Response:
    headers = {"Cache-Control": "no-store"}
    if replay.refusal is not None:
        raise ReplayImpossible(replay.forecast_id, replay.refusal)
    if replay.outcome is not None:
        return Response(replay.outcome, headers=headers)
    headers["Location"] = reverse("predictions-api:replay-answer", args=(replay.forecast_id, replay.token))
    headers["Retry-After"] = WAITING_S
    return Response({"forecast_id": replay.forecast_id, "status": "waiting"}, status=202, headers=headers)
