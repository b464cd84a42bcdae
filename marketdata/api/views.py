"""`GET /symbols`, `/prices/{symbol}` and `/quotes`."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from marketdata.api import examples
from marketdata.api.base import ReadView
from marketdata.api.renderers import CsvRenderer
from marketdata.api.schema import NOT_MODIFIED, RESPONSE_HEADERS, problem_responses
from marketdata.api.serializers import PricesIn, PricesOut, QuotesIn, QuotesOut, SymbolsIn, SymbolsOut
from marketdata.errors import SymbolMalformed
from marketdata.latest_prices import latest_prices
from marketdata.price_history import PriceQuery, PriceRow, price_series
from marketdata.selectors import canonical_symbol, instrument_by_symbol, listed_instruments


class SymbolList(ReadView):
    """Instrument catalogue."""

    query_serializer = SymbolsIn

    @extend_schema(
        operation_id="symbols",
        tags=["market data"],
        summary="List instruments by symbol or name",
        parameters=[query_serializer, *RESPONSE_HEADERS],
        responses={200: SymbolsOut, 304: NOT_MODIFIED, **problem_responses(400, 429)},
        examples=[OpenApiExample("aple", value=examples.SYMBOLS, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """Return a page of matching instruments; one extra row shows whether another page follows."""
        query = self.validated_query(request)
        page, limit = query["page"], query["limit"]
        found = listed_instruments(query.get("search", ""), limit=limit + 1, start=(page - 1) * limit)
        return Response({"symbols": found[:limit], "next_page": page + 1 if len(found) > limit else None})


class PriceList(ReadView):
    """Daily bars of one instrument."""

    query_serializer = PricesIn
    renderer_classes = (JSONRenderer, CsvRenderer)
    csv_rows = "bars"
    csv_columns = tuple(PriceRow.__annotations__)

    @extend_schema(
        operation_id="prices",
        tags=["market data"],
        summary="Daily prices of one stock",
        description="JSON, or CSV with `Accept: text/csv` or `?format=csv`.",
        parameters=[query_serializer, *RESPONSE_HEADERS],
        responses={
            (200, "application/json"): PricesOut,
            (200, "text/csv"): str,
            304: NOT_MODIFIED,
            **problem_responses(400, 404, 429),
        },
        examples=[
            OpenApiExample(
                "AAPL", value=examples.PRICES, response_only=True, status_codes=["200"], media_type="application/json"
            ),
            OpenApiExample(
                "table", value=examples.PRICES_CSV, response_only=True, status_codes=["200"], media_type="text/csv"
            ),
        ],
    )
    def get(self, request: Request, symbol: str) -> Response:
        """Return the requested bars and the newest known session."""
        values = self.validated_query(request)
        query = PriceQuery(
            values.get("from"), values.get("to"), values.get("known_at"), values["adjusted"], limit=values["limit"]
        )
        series = price_series(instrument_by_symbol(symbol), query, now=clock.now())
        return Response(
            {
                "symbol": series.instrument.symbol,
                "currency": series.instrument.currency,
                "source": series.instrument.source,
                "adjusted": query.adjusted,
                "known_at": query.known_at,
                "as_of": series.as_of,
                "basis_date": series.basis_date,
                "stale": series.stale,
                "bars": series.bars,
                "more_from": series.more_from,
            }
        )


class QuoteList(ReadView):
    """Latest prices of several instruments."""

    query_serializer = QuotesIn

    @extend_schema(
        operation_id="quotes",
        tags=["market data"],
        summary="Latest prices",
        description="The live quote of the open session where one exists, else the last final close.",
        parameters=[query_serializer, *RESPONSE_HEADERS],
        responses={200: QuotesOut, 304: NOT_MODIFIED, **problem_responses(400, 429)},
        examples=[OpenApiExample("AAPL, APPL", value=examples.QUOTES, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """Return the price of each symbol that has one, and the reason for the others."""
        requested = self.validated_query(request)["symbols"]
        canonical, missing = {}, {}
        for text in requested:
            try:
                canonical[text] = canonical_symbol(text)
            except SymbolMalformed as error:
                missing[text] = str(error)
        found = latest_prices(set(canonical.values()), now=clock.now())
        prices = {found[symbol].instrument.pk: found[symbol] for symbol in canonical.values() if symbol in found}
        missing |= {
            text: f"No price is stored for {symbol}." for text, symbol in canonical.items() if symbol not in found
        }
        return Response(
            {
                "quotes": [{**price.payload, "name": price.instrument.name} for price in prices.values()],
                "missing": [{"symbol": text, "detail": missing[text]} for text in requested if text in missing],
            }
        )
