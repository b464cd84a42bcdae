"""`/forecasts/{id}` and its replay: a stored forecast, and the same computed again."""

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
    """One forecast as it was said."""

    @extend_schema(
        operation_id="forecast",
        tags=["forecasts"],
        summary="One stored forecast",
        description="By its id. It never changes, and its ETag is the hash that seals it.",
        parameters=RESPONSE_HEADERS,
        responses={200: StoredForecastOut, 304: NOT_MODIFIED, **problem_responses(404, 429)},
    )
    def get(self, request: Request, forecast_id: int) -> Response:
        """What was said, and how it is sealed."""
        forecast = forecast_with_provenance(forecast_id)
        return Response(stored_payload(forecast), headers={"ETag": f'"{forecast.entry_hash}"'})

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if answer.status_code == 200:
            answer["Cache-Control"] = LASTING
        return answer


class ForecastReplay(ApiView):
    """A stored forecast computed again."""

    required_scope = "predict"

    @extend_schema(
        operation_id="replay",
        tags=["forecasts"],
        summary="Compute a stored forecast again",
        description="A worker computes it from the stored inputs and the registered files of its model. The answer "
        "comes within five seconds, or else a `202` says where it will be.",
        parameters=REPLAY_HEADERS,
        responses={200: ReplayOut, 202: ReplayWaitingOut, **problem_responses(404, 409, 429, 503)},
    )
    def get(self, request: Request, forecast_id: int) -> Response:
        """Ask a worker, wait a little."""
        return _replay_response(request_replay(forecast_id))


class ReplayAnswer(ApiView):
    """A replay that was asked for before."""

    required_scope = "read"

    @extend_schema(
        operation_id="replay_answer",
        tags=["forecasts"],
        summary="A replay that was asked for",
        parameters=REPLAY_HEADERS,
        responses={200: ReplayOut, 202: ReplayWaitingOut, **problem_responses(404, 409, 429, 503)},
    )
    def get(self, request: Request, forecast_id: int, token: str) -> Response:
        """How it stands; no waiting here."""
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
