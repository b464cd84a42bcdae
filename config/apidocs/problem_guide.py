"""Every problem with an example and advice, for the OpenAPI schema and the page of problems."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.db import OperationalError
from rest_framework import exceptions

from accounts import errors as accounts
from alerts import errors as alerts
from config.http import errors as requests
from config.http.problem_responses import problem_body
from config.http.problems import UNEXPECTED, Problem, problem_of
from marketdata import errors as marketdata
from mlops import errors as mlops
from mlops.forecasting import errors as forecasting
from predictions import errors as predictions

REQUEST_ID = "5f0c6b1f2a4e4d0c8f6f0a3f6f2b9c1d"

_REQUESTS: dict[Exception, str] = {
    requests.MalformedUrl("a percent sign without two hexadecimal digits"): "Percent-encode the query as UTF-8; every "
    "HTTP library has a function for it.",
    requests.UrlTooLong(8192): "Request fewer items per call.",
    requests.HeadersTooLarge(16384): "Send fewer or shorter headers; old cookies are a common cause.",
    requests.BodyTooLarge(1048576): "Split the body over several calls.",
    requests.ServerBusy(): "Retry after the seconds in `Retry-After`.",
    requests.Unreachable(): "Retry after the seconds in `Retry-After`; see `/health/ready` for the site's health.",
    requests.LengthMissing(): "Send a Content-Length; chunked bodies are not supported.",
    requests.NotInSandbox(["history", "metrics", "predict", "prices", "symbols"]): "Create your own API key.",
    requests.CsrfFailed(): "State-changing calls with a session cookie need the CSRF token. Outside the browser, use "
    "an API key or a bearer token.",
    exceptions.ValidationError({"days": ["Ensure this value is less than or equal to 3650."]}): "`errors` lists each "
    "invalid field; see the reference for limits.",
    exceptions.ParseError("JSON parse error - Expecting value: line 1 column 1 (char 0)"): "Send a JSON object, and "
    "each parameter once.",
    exceptions.AuthenticationFailed("The key or token is not valid."): "Check whether the key was revoked or has "
    "expired, and create another one.",
    exceptions.NotAuthenticated(): "Send `X-API-Key`, or `Authorization: Bearer` with an access token, or sign in.",
    exceptions.PermissionDenied(): "The key lacks a scope that the call needs, or the call is for staff.",
    exceptions.NotFound(): "Check the URL against the reference. Objects of other accounts are also not found.",
    exceptions.MethodNotAllowed("DELETE"): "`Allow` lists the supported methods.",
    exceptions.NotAcceptable(): "Accept `application/json`, or another format that the reference lists.",
    exceptions.UnsupportedMediaType("text/plain"): "Send `Content-Type: application/json`.",
    Exception(): "If you contact us, quote the `request_id`.",
    OperationalError(): "Retry after the seconds in `Retry-After`. Nothing was lost.",
}
_DOMAIN: dict[Exception, str] = {
    accounts.RateLimited(60, 60, 42): "Retry after the seconds in `Retry-After`. The header `RateLimit` of every "
    "response shows how many calls remain.",
    accounts.InvalidCredentials("revoked-key"): "`reason` says what is wrong with the key or token. Create another "
    "key, or sign in again for new tokens.",
    accounts.LoginFailed(): "Check e-mail and password; for security we do not say which is wrong. You can reset the "
    "password on the sign-in page.",
    accounts.EmailNotVerified(): "Follow the link in the e-mail, or sign in on the site to get another one.",
    accounts.EmailTaken(): "Sign in instead, or reset the password on the sign-in page.",
    accounts.WeakPassword(["This password is too common."]): "`reasons` lists what is wrong with it.",
    accounts.ExpiryTooLate(3650): "Send a future instant with its time zone.",
    accounts.KeyOutlivesCreator("2026-03-09T22:05:00Z"): "Set `expires_at` to `latest` or earlier, or create the key "
    "after signing in.",
    accounts.TooManyAttempts(42): "Retry after the seconds in `Retry-After`.",
    accounts.ThrottleUnavailable(): "Retry after the seconds in `Retry-After`; keys and tokens continue to work.",
    accounts.KeyUnknown(12): "`/api/v1/auth/keys` lists your keys.",
    accounts.TooManyKeys(10): "Revoke a key that you no longer need. Keys revoked within the last day count towards "
    "the limit of 20 per day.",
    accounts.IdempotencyKeyMalformed(): "Send a random key, such as a UUID.",
    accounts.IdempotencyKeyReused("a-key"): "Use a new key for each call that creates something.",
    accounts.IdempotencyKeyInUse("a-key"): "Retry after `Retry-After`; you will get the first call's response.",
    accounts.LastAdministrator(): "Create another administrator first; then this account can be deleted.",
    accounts.MailUnavailable(): "Try again in a minute. For a new account, sign in; the link is sent then.",
    accounts.ScopeMissing("manage"): "Create a key with the scope in `scope`.",
    marketdata.SymbolMalformed("A PL"): "A symbol has 1 to 15 characters: letters, digits, and . - / = ^ as in BRK.B "
    "or ^GSPC.",
    marketdata.SymbolUnknown("APPL", ["AAPL"]): "`suggestions` lists similar symbols; search by name with "
    "`/api/v1/symbols`.",
    marketdata.ListingRejected("TSCO.L", "the source names no currency"): "Nothing was added. Try another listing.",
    marketdata.SessionUnknown("XNYS", "2023-09-23"): "Choose a day on which the exchange was open.",
    marketdata.DateRangeEmpty("2024-01-02", "2023-01-02"): "Set `from` to the earlier day.",
    marketdata.KnownAtInFuture("2100-01-01T00:00:00Z"): "Omit `known_at` for current data.",
    marketdata.ProviderUnavailable("yahoo", "no answer"): "Retry after the seconds in `Retry-After`.",
    marketdata.ProviderRejected("yahoo", "refused"): "A retry does not help; try another symbol.",
    marketdata.BarFileInvalid("bars.csv", "it has no column `close`"): "Correct the file; nothing of it was stored.",
    marketdata.ScorerUnavailable("finbert", "its weights are missing"): "Try again later; the operators have been "
    "notified.",
    mlops.NoChampion(): "The first model is still being trained. Try again in a minute.",
    mlops.ArtifactCorrupt("v1", "a checksum is wrong"): "Try again later; the operators have been notified.",
    mlops.InsufficientHistory(120, 1000): "Choose symbols with a longer history.",
    mlops.VersionUnknown("v99"): "`/models` lists the versions.",
    mlops.PromotionRefused("v2", "it is worse than the champion on the same dates"): "`reason` says why.",
    mlops.PanelFileUnusable("bars.parquet", "it has no column `close`"): "Correct the file; nothing of it was stored.",
    forecasting.PricesStandStill(840): "Check whether the prices are those of the stock.",
    forecasting.TooFewTestSessions(date(2023, 9, 1), date(2023, 9, 21), 60): "Start the test earlier.",
    predictions.HorizonUnknown("3", (1, 5, 10, 20)): "`allowed` lists the horizons in trading days.",
    predictions.ForecastUnavailable("AAPL", 5): "The forecast is being computed. Retry after `Retry-After`.",
    predictions.OriginRefused("XNYS", date(2023, 9, 23), "no session"): "Choose a trading day with a final price.",
    predictions.LedgerBroken("Forecast 5", "its hash does not match", forecast_id=5): "Do not rely on this forecast. "
    "The operators have been notified.",
    predictions.LedgerKeyRefused(Path("ledger_key"), "its mode is 0644"): "Try again later; the operators have been "
    "notified.",
    predictions.ClockBehind(
        datetime(2026, 3, 2, 22, 5, tzinfo=UTC), datetime(2026, 3, 3, 22, 5, tzinfo=UTC)
    ): "Try again later.",
    predictions.WitnessFailed("git", "the remote refused the push"): "The head is sent again later.",
    predictions.HeadRefused(
        "its signature is not valid"
    ): "`reason` says why. Send the fields as `/ledger/head` of your deployment shows them.",
    predictions.ForecastUnknown(999999): "Use an id from a response of `/predict` or `/history`.",
    predictions.HeadUnknown(date(2023, 9, 23)): "`/ledger/heads` lists the days with a head.",
    predictions.ReplayUnknown("none"): "Start another replay; results expire after a while.",
    predictions.ReplayImpossible(
        5, "its inputs were not stored"
    ): "`reason` names what is missing; a retry fails again.",
    predictions.BatchUnknown("3f0c5a52"): "Use the URL in `Location`; batches expire after seven days.",
    predictions.BatchFinished("3f0c5a52"): "Read the results; they expire with the batch after seven days.",
    predictions.BatchNeedsOwner(50): "Send a key or sign in, or request at most `most` symbols at once.",
    alerts.TooManyRules(100): "Delete an alert that you no longer need.",
    alerts.DeliveryFailed("email", "refused"): "Check the address of the channel.",
}
GUIDE: Mapping[Exception, str] = {**_REQUESTS, **_DOMAIN}


@dataclass(frozen=True, slots=True)
class ProblemGuide:
    """One problem with a complete example response and advice for the caller."""

    problem: Problem
    example: dict[str, Any]
    advice: str


def example_of(error: Exception) -> dict[str, Any]:
    """Return the response body of this error."""
    example: dict[str, Any] = json.loads(json.dumps({**problem_body(error), "request_id": REQUEST_ID}))
    return example


def problem_guides() -> dict[str, ProblemGuide]:
    """Return the guide of every problem by slug, ordered by status."""
    guides = {}
    for error, advice in GUIDE.items():
        problem = problem_of(error) or UNEXPECTED
        guides[problem.slug] = ProblemGuide(problem, example_of(error), advice)
    return dict(sorted(guides.items(), key=lambda item: (item[1].problem.status, item[0])))
