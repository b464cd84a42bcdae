"""What staff type to find a symbol, and what they take of the answer."""

from dataclasses import asdict
from typing import Any

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextInputWidget

from marketdata.provider_records import SymbolMatch
from marketdata.services.symbol_search import LONGEST_TEXT

SALT = "marketdata.symbol_match"
OFFERED_FOR_S = 3600
MIC_LETTERS = 4


class FindSymbolForm(forms.Form):
    """A symbol or a name, or a part of one."""

    text = forms.CharField(max_length=LONGEST_TEXT, label="Symbol or name", widget=UnfoldAdminTextInputWidget)


class AddSymbolForm(forms.Form):
    """One of the offered matches, and its exchange where the source does not tell it."""

    offer = forms.CharField(widget=forms.HiddenInput)
    mic = forms.CharField(max_length=MIC_LETTERS, required=False, label="Exchange (MIC)")

    def clean_offer(self) -> tuple[SymbolMatch, str]:
        """The match and its source, as they were offered."""
        try:
            offered: dict[str, Any] = signing.loads(self.cleaned_data["offer"], salt=SALT, max_age=OFFERED_FOR_S)
        except signing.BadSignature as error:
            raise ValidationError("That offer has lapsed; search again.") from error
        return SymbolMatch(**offered["match"]), offered["source"]

    def clean_mic(self) -> str:
        mic: str = self.cleaned_data["mic"].upper()
        return mic


def offer_of(match: SymbolMatch, source: str) -> str:
    """The match in a form that goes to the browser and comes back unchanged, so that the source is asked once."""
    return signing.dumps({"match": asdict(match), "source": source}, salt=SALT)
