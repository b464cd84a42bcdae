"""Every problem with an error that really has it, and what the caller can do: for the schema and the page about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import OperationalError
from rest_framework import exceptions

from accounts import errors as accounts
from alerts import errors as alerts
from config.http import errors as requests
from config.http.problem_responses import problem_fields
from config.http.problems import UNEXPECTED, Problem, problem_of
from marketdata import errors as marketdata
from mlops import errors as mlops
from mlops.forecasting import errors as forecasting
from predictions import errors as predictions

REQUEST_ID = "5f0c6b1f2a4e4d0c8f6f0a3f6f2b9c1d"

_REQUESTS: dict[Exception, str] = {
    requests.MalformedUrl("a percent sign that two hexadecimal digits do not follow"): "Encode what stands in the "
    "query as UTF-8 with percent signs; every HTTP library has a function for it.",
    requests.UrlTooLong(8192): "Ask for fewer things in one call.",
    requests.HeadersTooLarge(16384): "Send fewer or shorter headers; old cookies are a usual cause.",
    requests.BodyTooLarge(1048576): "Split what you send over several calls.",
    requests.ServerBusy(): "Wait as many seconds as Retry-After says.",
    requests.Unreachable(): "Wait as many seconds as Retry-After says; health stands at `/health/ready`.",
    requests.LengthMissing(): "Send a Content-Length; bodies in chunks are not read.",
    requests.NotInSandbox(["history", "metrics", "predict", "prices", "symbols"]): "Make a key of your own.",
    requests.CsrfFailed(): "Calls that rest on the session cookie and change something need the token. Use a key or a "
    "bearer token outside the browser.",
    exceptions.ValidationError({"days": ["Ensure this value is less than or equal to 3650."]}): "`errors` names each "
    "field and what is wrong with it; the limits stand in the reference.",
    exceptions.ParseError("JSON parse error - Expecting value: line 1 column 1 (char 0)"): "Send a JSON object, and "
    "each parameter once.",
    exceptions.AuthenticationFailed("The key or token is not valid."): "Look whether the key was revoked or has "
    "expired, and make another one.",
    exceptions.NotAuthenticated(): "Send `X-API-Key`, or `Authorization: Bearer` with an access token, or sign in.",
    exceptions.PermissionDenied(): "The key lacks the scope that the call needs, or the call is for staff.",
    exceptions.NotFound(): "Compare the address with the reference. What belongs to others is not found either.",
    exceptions.MethodNotAllowed("DELETE"): "`Allow` lists the methods that the address takes.",
    exceptions.NotAcceptable(): "Accept `application/json`, or what the reference names besides.",
    exceptions.UnsupportedMediaType("text/plain"): "Send `Content-Type: application/json`.",
    Exception(): "Quote `request_id` when you ask about it; the log holds the rest under that id.",
    OperationalError(): "Wait for the seconds in `Retry-After` and ask again. Nothing was lost.",
}
_DOMAIN: dict[Exception, str] = {
    accounts.RateLimited(60, 60, 42): "Wait for the seconds in `Retry-After`. `RateLimit` says in every answer how "
    "many calls are left.",
    accounts.InvalidCredentials(
        "revoked-key"
    ): "`reason` says what is wrong with the key or token. Make another key, or sign in again for new tokens.",
    accounts.LoginFailed(): "Look at both; which of them is wrong is told to nobody. A new password is set on the "
    "page for signing in.",
    accounts.EmailNotVerified(): "Follow the link in the mail, or sign in on the site to get another one.",
    accounts.EmailTaken(): "Sign in instead, or set a new password on the page for signing in.",
    accounts.WeakPassword(["This password is too common."]): "`reasons` says what is wrong with it.",
    accounts.ExpiryTooLate(3650): "Name an instant in the future, with its time zone.",
    accounts.KeyOutlivesCreator("2026-03-09T22:05:00Z"): "Let it end by `latest`, or make it after signing in.",
    accounts.TooManyAttempts(42): "Wait for the seconds in `Retry-After`.",
    accounts.ThrottleUnavailable(): "Wait for the seconds in `Retry-After`; keys and tokens go on to work.",
    accounts.KeyUnknown(12): "`/api/v1/auth/keys` lists yours.",
    accounts.TooManyKeys(10): "Revoke a key that you no longer need; those revoked within the last day count among the "
    "20 that one may use in a day.",
    accounts.IdempotencyKeyMalformed(): "Send a random one, such as a UUID.",
    accounts.IdempotencyKeyReused("a-key"): "Make a new key for each call that creates something.",
    accounts.IdempotencyKeyInUse("a-key"): "Ask again after `Retry-After`; the answer will be the first call's.",
    accounts.LastAdministrator(): "Make another administrator first; then this account can be deleted.",
    accounts.MailUnavailable(): "Try again in a minute. If it is about a new account, sign in: the link is sent then.",
    accounts.ScopeMissing("manage"): "Make a key with the scope that `scope` names.",
    marketdata.SymbolMalformed(
        "A PL"
    ): "A symbol has 1 to 15 characters: letters, digits, and . - / = ^ as in BRK.B or ^GSPC.",
    marketdata.SymbolUnknown("APPL", ["AAPL"]): "`suggestions` are the nearest symbols there are; `/api/v1/symbols` "
    "searches by name.",
    marketdata.ListingRejected("TSCO.L", "the source names no currency"): "Nothing was added. Ask for another listing.",
    marketdata.SessionUnknown("XNYS", "2023-09-23"): "Take a day on which the exchange was open.",
    marketdata.DateRangeEmpty("2024-01-02", "2023-01-02"): "Let `from` be the earlier day.",
    marketdata.KnownAtInFuture("2100-01-01T00:00:00Z"): "Leave `known_at` out for what is known now.",
    marketdata.ProviderUnavailable("yahoo", "no answer"): "Ask again after the seconds in `Retry-After`.",
    marketdata.ProviderRejected("yahoo", "refused"): "Asking again does not help; ask for another symbol.",
    marketdata.BarFileInvalid("bars.csv", "it has no column `close`"): "Mend the file; nothing of it was stored.",
    marketdata.ScorerUnavailable("finbert", "its weights are missing"): "Ask again later; operators have been told.",
    mlops.NoChampion(): "The installation is new and still trains its first model. Ask again in a minute.",
    mlops.ArtifactCorrupt("v1", "a checksum is wrong"): "Ask again later; operators have been told.",
    mlops.InsufficientHistory(120, 1000): "Take symbols with a longer history.",
    mlops.VersionUnknown("v99"): "`/models` lists the versions there are.",
    mlops.PromotionRefused("v2", "it is worse than the champion on the same dates"): "`reason` says what stands "
    "against it.",
    mlops.PanelFileUnusable("bars.parquet", "it has no column `close`"): "Mend the file; nothing of it was stored.",
    forecasting.PricesStandStill(840): "Look whether the prices are really those of the stock.",
    forecasting.TooFewTestSessions(date(2023, 9, 1), date(2023, 9, 21), 60): "Let the test begin earlier.",
    predictions.HorizonUnknown("3", (1, 5, 10, 20)): "`allowed` lists the horizons, in sessions.",
    predictions.ForecastUnavailable("AAPL", 5): "The forecast is being made. Ask again after `Retry-After`.",
    predictions.OriginRefused("XNYS", date(2023, 9, 23), "no session"): "Take a session whose bar is final.",
    predictions.LedgerBroken("Forecast 5", "its seal does not match", forecast_id=5): "Do not rely on this forecast. "
    "Operators have been told.",
    predictions.ForecastUnknown(999999): "Take an id from an answer of `/predict` or `/history`.",
    predictions.HeadUnknown(date(2023, 9, 23)): "`/ledger/heads` lists the days that have one.",
    predictions.ReplayUnknown("none"): "Ask for a replay again; answers are kept for a while only.",
    predictions.ReplayImpossible(5, "its inputs were not stored"): "`reason` says what is missing; it will not change.",
    predictions.BatchUnknown("3f0c5a52"): "Take the address from `Location`; batches are kept for seven days.",
    predictions.BatchFinished("3f0c5a52"): "Read the answers; they are deleted with the batch after seven days.",
    predictions.BatchNeedsOwner(50): "Sign in or send a key, or ask for at most `most` symbols at once.",
    alerts.TooManyRules(100): "Delete a rule that you no longer need.",
    alerts.DeliveryFailed("email", "refused"): "Look at the address of the channel.",
}
GUIDE: Mapping[Exception, str] = {**_REQUESTS, **_DOMAIN}


@dataclass(frozen=True, slots=True)
class Explained:
    """One problem as the page and the schema tell it: `example` is a whole answer, `advice` what to do."""

    problem: Problem
    example: dict[str, Any]
    advice: str


def example_of(error: Exception) -> dict[str, Any]:
    """The body that answers this error."""
    problem = problem_of(error) or UNEXPECTED
    told = {**problem_fields(error), "status": problem.status, "request_id": REQUEST_ID}
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


def explained() -> dict[str, Explained]:
    """Every problem by its slug, in the order of their statuses."""
    found = {}
    for error, advice in GUIDE.items():
        problem = problem_of(error) or UNEXPECTED
        found[problem.slug] = Explained(problem, example_of(error), advice)
    return dict(sorted(found.items(), key=lambda item: (item[1].problem.status, item[0])))
