"""`manage.py bootstrap`: give a new deployment its first user, prices and model. It may run at every start."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.services.staff import ensure_first_staff
from accounts.wall_clock import utc_now
from marketdata import clock
from marketdata.selectors import latest_home_session, newest_session
from marketdata.services.ingestion import ingest_all
from mlops.jobs import TRAIN_VERSION, enqueue
from mlops.selectors import first_training
from mlops.services.training_runs import request_first_training


class Command(BaseCommand):
    help = (
        "Create what a new deployment lacks: a staff user, the sample stocks with their prices, and a queued training, "
        "after which workers publish the first forecasts. What exists is left as it is."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self._staff()
        self._prices()
        self._model()

    def _staff(self) -> None:
        identity = settings.HINDCAST_IDENTITY
        try:
            staff = ensure_first_staff(email=identity.staff_email, password=identity.staff_password, now=utc_now())
        except ValidationError as error:
            raise CommandError(f"HINDCAST_STAFF_PASSWORD is refused: {' '.join(error.messages)}") from error
        self._say(f"Staff user: {staff.user.email}, {'created' if staff.created else 'already there'}.")
        if staff.password_path:
            self._say(f"Set its password once at {settings.HINDCAST_SITE.site_url}{staff.password_path}")

    def _prices(self) -> None:
        newest = newest_session()
        if newest is not None:
            self._say(f"Prices: stored up to {newest}.")
            return
        self._say("Prices: reading them.")
        now = clock.now()
        ingest_all(through=latest_home_session(now), now=now)
        if (newest := newest_session()) is None:
            raise CommandError("No source has prices. Check HINDCAST_PROVIDERS and the network, then run this again.")
        self._say(f"Prices: stored up to {newest}.")

    def _model(self) -> None:
        run = request_first_training(seed=settings.HINDCAST_MODELS.seed, now=clock.now())
        if run is not None:
            enqueue(TRAIN_VERSION, run.pk)
        run = first_training()
        self._say("Model: there is one." if run is None else f"Model: training {run.pk} is {run.status}.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
