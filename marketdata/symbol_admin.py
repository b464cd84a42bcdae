"""A page of the admin that finds symbols here and at a source that can search, and adds them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action

from marketdata.errors import ListingRejected, SymbolMalformed
from marketdata.services.symbol_search import NO_SEARCH, add_instrument, search_everywhere
from marketdata.symbol_forms import AddSymbolForm, FindSymbolForm, offer_of

PAGE = "admin:marketdata_instrument_find_symbol"


class SymbolSearchAdmin(ModelAdmin):
    """Gives the list of instruments a page to find others with."""

    @action(description="Find a symbol", permissions=["add"], icon="search", url_path="find")
    def find_symbol(self, request: HttpRequest) -> HttpResponse:
        """The search box and what was found; a POST adds one of the matches."""
        if request.method == "POST":
            return self._add(request)
        form = FindSymbolForm(request.GET if "text" in request.GET else None)
        found = search_everywhere(form.cleaned_data["text"]) if form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Find a symbol",
            "form": form,
            "found": found,
            "offers": [(match, offer_of(match, found.source)) for match in found.offered] if found else [],
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
            messages.success(request, f"{instrument.symbol} is added. Fetch its bars from the list of instruments.")
        else:
            messages.info(request, f"{instrument.symbol} is in the catalogue already.")
        return HttpResponseRedirect(reverse("admin:marketdata_instrument_change", args=[instrument.pk]))
