"""Admin page that searches symbols, stored and at a search provider, and adds a match."""

from dataclasses import asdict
from typing import Any

from django import forms
from django.contrib import messages
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from marketdata.errors import ListingRejected, SymbolMalformed
from marketdata.provider_records import SymbolMatch
from marketdata.services.instruments import MAX_SEARCH_TEXT, NO_SEARCH, add_instrument, find_instruments

PAGE = "admin:marketdata_instrument_find_symbol"
OFFER_SALT = "marketdata.symbol_match"
OFFER_MAX_AGE_S = 3600
MIC_LETTERS = 4


class FindSymbolForm(forms.Form):
    """Search text."""

    text = forms.CharField(max_length=MAX_SEARCH_TEXT, label="Symbol or name", widget=UnfoldAdminTextInputWidget)


class AddSymbolForm(forms.Form):
    """One of the offered matches, and its exchange if the source does not give it."""

    offer = forms.CharField(widget=forms.HiddenInput)
    mic = forms.CharField(max_length=MIC_LETTERS, required=False, label="Exchange (MIC)")

    def clean_offer(self) -> tuple[SymbolMatch, str]:
        """Return the signed match and its source."""
        try:
            offered: dict[str, Any] = signing.loads(
                self.cleaned_data["offer"], salt=OFFER_SALT, max_age=OFFER_MAX_AGE_S
            )
        except signing.BadSignature as error:
            raise ValidationError("The search result has expired. Search again.") from error
        return SymbolMatch(**offered["match"]), offered["source"]

    def clean_mic(self) -> str:
        mic: str = self.cleaned_data["mic"].upper()
        return mic


def sign_offer(match: SymbolMatch, source: str) -> str:
    """Sign the match, so that the browser can return it and the source is queried only once."""
    return signing.dumps({"match": asdict(match), "source": source}, salt=OFFER_SALT)


class SymbolSearchAdmin(ModelAdmin):
    """Adds the search page to the list of instruments."""

    @action(description="Find a symbol", permissions=["add"], icon="search", url_path="find")
    def find_symbol(self, request: HttpRequest) -> HttpResponse:
        """Show the search box and the matches; a POST adds one of them."""
        if request.method == "POST":
            return self._add(request)
        form = FindSymbolForm(request.GET if "text" in request.GET else None)
        found = find_instruments(form.cleaned_data["text"]) if form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Find a symbol",
            "form": form,
            "found": found,
            "offers": [(match, sign_offer(match, found.source)) for match in found.matches] if found else [],
            "note": (found.problem if found.source else NO_SEARCH) if found else "",
        }
        return render(request, "admin/marketdata/instrument/find_symbol.html", context)

    def _add(self, request: HttpRequest) -> HttpResponse:
        form = AddSymbolForm(request.POST)
        if not form.is_valid():
            messages.error(request, " ".join(str(error[0]) for error in form.errors.values()))
            return HttpResponseRedirect(reverse(PAGE))
        match, source = form.cleaned_data["offer"]
        try:
            instrument, is_new = add_instrument(match, source=source, mic=form.cleaned_data["mic"])
        except (ListingRejected, SymbolMalformed) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse(PAGE))
        if is_new:
            self.log_addition(request, instrument, [{"added": {}}])
            messages.success(request, f"{instrument.symbol} was added. Fetch its bars from the list of instruments.")
        else:
            messages.info(request, f"{instrument.symbol} is already in the catalogue.")
        return HttpResponseRedirect(reverse("admin:marketdata_instrument_change", args=[instrument.pk]))
