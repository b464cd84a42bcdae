"""Which instruments there are."""

from django.db import transaction

from marketdata.models import Instrument
from marketdata.providers.sample import sample_instruments


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
