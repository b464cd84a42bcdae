"""Which instruments there are."""

from datetime import date

from django.db import transaction

from marketdata.calendars import is_session
from marketdata.errors import SessionUnknown
from marketdata.models import Instrument
from marketdata.providers.sample import sample_instruments


def delist(*, instrument: Instrument, last_session: date) -> None:
    """Note that the instrument is no longer traded: its history stays, nothing is fetched or forecast any more.

    A second call corrects the day. Raises SessionUnknown when it is not a session of the exchange.
    """
    if not is_session(instrument.mic, last_session):
        raise SessionUnknown(instrument.mic, last_session.isoformat())
    Instrument.objects.filter(pk=instrument.pk).update(delisted_on=last_session, is_active=False)


@transaction.atomic
def ensure_sample_instruments() -> list[Instrument]:
    """The shipped stocks as instruments; those that exist are returned as they are, whatever staff made of them."""
    return [
        Instrument.objects.get_or_create(
            symbol=shipped.symbol,
            mic=shipped.mic,
            defaults={
                "name": shipped.name,
                "sector": shipped.sector,
                "currency": shipped.currency,
                "tick": shipped.tick,
            },
        )[0]
        for shipped in sample_instruments()
    ]
