"""Names of this app's background work, and how a replay is asked for."""

from celery import current_app

from predictions.readpath.replays import LIFE_S, Replay, awaited, open_replay
from predictions.selectors.forecasts import replayable_forecast

PUBLISH = "predictions.publish"
ANNOUNCE = "predictions.announce"
SCORE = "predictions.score"
VERIFY_LEDGER = "predictions.verify_ledger"
REPLAY = "predictions.replay"


def request_replay(forecast_id: int) -> Replay:
    """Have a worker compute a stored forecast again, and wait a little for its answer.

    A second call asks for another one. Raises ForecastUnknown, ReplayImpossible, and an outage of the store or broker.
    """
    replay = open_replay(replayable_forecast(forecast_id).pk)
    current_app.send_task(REPLAY, args=(replay.token, forecast_id), expires=LIFE_S)
    return awaited(replay)
