"""Mapping of exceptions to problem details (RFC 9457): domain errors, outages, framework errors."""

from dataclasses import dataclass

from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from kombu.exceptions import OperationalError as BrokerUnavailable
from redis.exceptions import RedisError
from rest_framework import exceptions

from accounts import errors as accounts
from alerts import errors as alerts
from config.http import errors as requests
from marketdata import errors as marketdata
from mlops import errors as mlops
from mlops.forecasting import errors as forecasting
from predictions import errors as predictions

PROBLEM_PAGE = "/api/problems"
RETRY_AFTER_OUTAGE_S = 5
RETRY_AFTER_TRAINING_S = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """Problem details of one kind of error; `extensions` are attributes of the error added as extra fields.

    `detail` replaces the error's own message where that one is for operators only.
    """

    status: int
    slug: str
    title: str
    extensions: tuple[str, ...] = ()
    detail: str = ""
    retry_after_s: int | None = None

    @property
    def type(self) -> str:
        """Return the `type`: the URL of this problem's explanation."""
        return f"{PROBLEM_PAGE}#{self.slug}"


UNEXPECTED = Problem(
    500, "unexpected", "Something went wrong", detail="The error was logged. Try again; nothing you sent was stored."
)
NOT_FOUND = Problem(404, "not-found", "Not found", detail="Nothing exists at this URL.")

PROBLEMS: dict[type[Exception], Problem] = {
    requests.MalformedUrl: Problem(400, "malformed-address", "Malformed URL"),
    requests.UrlTooLong: Problem(414, "address-too-long", "URL too long", ("limit",)),
    requests.HeadersTooLarge: Problem(431, "headers-too-large", "Headers too large", ("limit",)),
    requests.BodyTooLarge: Problem(413, "body-too-large", "Body too large", ("limit",)),
    requests.ServerBusy: Problem(503, "crowded", "Server busy", retry_after_s=1),
    requests.Unreachable: Problem(503, "unreachable", "Server unreachable", retry_after_s=RETRY_AFTER_OUTAGE_S),
    requests.LengthMissing: Problem(411, "length-missing", "Content-Length required"),
    requests.NotInSandbox: Problem(404, "not-in-sandbox", "Not available in the sandbox", ("calls",)),
    requests.CsrfFailed: Problem(403, "csrf-failed", "CSRF check failed"),
    accounts.RateLimited: Problem(429, "rate-limited", "Rate limit exceeded", ("limit",)),
    accounts.LastAdministrator: Problem(409, "last-administrator", "Cannot delete the last administrator"),
    accounts.MailUnavailable: Problem(
        503,
        "mail-unavailable",
        "E-mail not sent",
        detail="The mail server is unavailable. The operators have been notified.",
        retry_after_s=60,
    ),
    accounts.InvalidCredentials: Problem(401, "credentials-refused", "Invalid credentials", ("reason",)),
    accounts.LoginFailed: Problem(401, "sign-in-refused", "Sign-in failed"),
    accounts.EmailNotVerified: Problem(403, "address-unconfirmed", "E-mail address not confirmed"),
    accounts.EmailTaken: Problem(409, "address-taken", "Account exists"),
    accounts.WeakPassword: Problem(409, "password-refused", "Password too weak", ("reasons",)),
    accounts.ExpiryTooLate: Problem(409, "expiry-refused", "Invalid expiry", ("most_days",)),
    accounts.KeyOutlivesCreator: Problem(409, "key-outlives-maker", "Expiry too late", ("latest",)),
    accounts.TooManyAttempts: Problem(429, "too-many-attempts", "Too many attempts"),
    accounts.ThrottleUnavailable: Problem(
        503,
        "sign-in-unavailable",
        "Sign-in unavailable",
        detail="Sign-in attempts cannot be counted at the moment. Try again in a few seconds.",
        retry_after_s=RETRY_AFTER_OUTAGE_S,
    ),
    accounts.KeyUnknown: Problem(404, "unknown-key", "Unknown API key", ("key_id",)),
    accounts.TooManyKeys: Problem(409, "too-many-keys", "Key limit reached", ("limit",)),
    accounts.IdempotencyKeyMalformed: Problem(400, "malformed-idempotency-key", "Invalid idempotency key"),
    accounts.IdempotencyKeyReused: Problem(422, "idempotency-key-reused", "Idempotency key reused"),
    accounts.IdempotencyKeyInUse: Problem(409, "idempotency-key-in-use", "Idempotency key in use"),
    accounts.ScopeMissing: Problem(403, "scope-missing", "Insufficient permissions", ("scope",)),
    marketdata.SymbolMalformed: Problem(400, "malformed-symbol", "Invalid symbol", ("symbol",)),
    marketdata.SymbolUnknown: Problem(404, "unknown-symbol", "Unknown symbol", ("symbol", "suggestions")),
    marketdata.ListingRejected: Problem(422, "unusable-listing", "Unsupported listing", ("symbol", "reason")),
    marketdata.SessionUnknown: Problem(404, "unknown-session", "Not a trading day", ("mic", "day")),
    marketdata.DateRangeEmpty: Problem(404, "empty-period", "Empty date range", ("first", "last")),
    marketdata.KnownAtInFuture: Problem(409, "instant-ahead", "Date is in the future", ("known_at",)),
    marketdata.ProviderUnavailable: Problem(
        503,
        "provider-unavailable",
        "Market data unavailable",
        ("provider", "kind"),
        detail="The market data source is not responding. Try again in a minute.",
        retry_after_s=60,
    ),
    marketdata.ProviderRejected: Problem(
        502,
        "provider-rejected",
        "Market data refused",
        ("provider", "kind"),
        detail="The market data source refused the request.",
    ),
    marketdata.BarFileInvalid: Problem(422, "bar-file-unusable", "Invalid price file", ("name",)),
    marketdata.ScorerUnavailable: Problem(
        503,
        "scorer-unavailable",
        "Sentiment scoring unavailable",
        ("scorer",),
        detail="The sentiment scorer could not be loaded. The operators have been notified.",
        retry_after_s=60,
    ),
    mlops.NoChampion: Problem(503, "no-model", "No model yet", retry_after_s=RETRY_AFTER_TRAINING_S),
    mlops.ArtifactCorrupt: Problem(
        503,
        "model-unusable",
        "Model unusable",
        ("version",),
        detail="The files of the production model fail their checksum. The operators have been notified.",
        retry_after_s=RETRY_AFTER_TRAINING_S,
    ),
    mlops.InsufficientHistory: Problem(422, "insufficient-history", "Insufficient price history", ("have", "needed")),
    mlops.VersionUnknown: Problem(404, "unknown-version", "Unknown model version", ("version",)),
    mlops.PromotionRefused: Problem(409, "promotion-refused", "Not promoted", ("version", "reason")),
    mlops.PanelFileUnusable: Problem(422, "panel-file-unusable", "Invalid panel file", ("name", "reason")),
    forecasting.TooLittleHistory: Problem(
        422, "insufficient-history", "Insufficient price history", ("have", "needed")
    ),
    forecasting.PricesStandStill: Problem(422, "prices-stand-still", "Constant prices", ("sessions",)),
    forecasting.TooFewTestSessions: Problem(422, "nothing-to-test", "Too few test sessions", ("needed",)),
    forecasting.BundleUnreadable: Problem(
        503,
        "model-unusable",
        "Model unusable",
        detail="The model files cannot be read. The operators have been notified.",
        retry_after_s=RETRY_AFTER_TRAINING_S,
    ),
    predictions.HorizonUnknown: Problem(400, "unknown-horizon", "Unknown horizon", ("horizon", "allowed")),
    predictions.ForecastUnavailable: Problem(
        503, "forecast-unavailable", "No forecast yet", ("symbol", "horizon"), retry_after_s=RETRY_AFTER_TRAINING_S
    ),
    predictions.OriginRefused: Problem(422, "origin-refused", "Invalid forecast origin", ("mic", "day")),
    predictions.LedgerBroken: Problem(
        500,
        "ledger-broken",
        "Ledger verification failed",
        ("forecast_id",),
        detail="A stored forecast does not match its hash. The operators have been notified.",
    ),
    predictions.LedgerKeyRefused: Problem(
        503,
        "ledger-key-refused",
        "Ledger key unusable",
        detail="The key that signs ledger heads cannot be used. The operators have been notified.",
    ),
    predictions.ClockBehind: Problem(503, "clock-behind", "The server's clock is wrong"),
    predictions.WitnessFailed: Problem(502, "witness-failed", "Ledger head not published", ("reason",)),
    predictions.HeadRefused: Problem(422, "head-refused", "Ledger head refused", ("reason",)),
    predictions.ForecastUnknown: Problem(404, "unknown-forecast", "Unknown forecast", ("forecast_id",)),
    predictions.HeadUnknown: Problem(404, "unknown-head", "No ledger head for this day", ("day",)),
    predictions.ReplayUnknown: Problem(404, "unknown-replay", "Unknown replay"),
    predictions.ReplayImpossible: Problem(409, "replay-impossible", "Replay impossible", ("forecast_id", "reason")),
    predictions.BatchUnknown: Problem(404, "unknown-batch", "Unknown batch"),
    predictions.BatchFinished: Problem(409, "batch-finished", "Batch already finished"),
    predictions.BatchNeedsOwner: Problem(401, "batch-needs-owner", "Authentication required", ("most",)),
    alerts.TooManyRules: Problem(409, "too-many-rules", "Alert limit reached", ("limit",)),
    alerts.DeliveryFailed: Problem(
        502, "delivery-failed", "Message not delivered", ("channel",), detail="The channel refused the message."
    ),
}

_OUTAGE = Problem(
    503,
    "storage-unavailable",
    "Storage unavailable",
    detail="The database or cache is not responding. Nothing was lost; try again in a few seconds.",
    retry_after_s=RETRY_AFTER_OUTAGE_S,
)
OUTAGES: dict[type[Exception], Problem] = {
    OperationalError: _OUTAGE,
    InterfaceError: _OUTAGE,
    RedisError: _OUTAGE,
    BrokerUnavailable: _OUTAGE,
}

FRAMEWORK: dict[type[Exception], Problem] = {
    exceptions.ValidationError: Problem(
        400, "invalid-request", "Invalid request", detail="Some fields are invalid; `errors` lists them."
    ),
    exceptions.ParseError: Problem(400, "malformed-request", "Malformed request"),
    exceptions.AuthenticationFailed: Problem(401, "authentication-failed", "Invalid credentials"),
    exceptions.NotAuthenticated: Problem(401, "authentication-needed", "Authentication required"),
    exceptions.PermissionDenied: Problem(403, "forbidden", "Access denied"),
    exceptions.NotFound: Problem(404, "not-found", "Not found"),
    exceptions.MethodNotAllowed: Problem(405, "method-not-allowed", "Method not allowed"),
    exceptions.NotAcceptable: Problem(406, "not-acceptable", "Not acceptable"),
    exceptions.UnsupportedMediaType: Problem(415, "unsupported-media-type", "Unsupported media type"),
    exceptions.Throttled: Problem(429, "rate-limited", "Rate limit exceeded"),
    Http404: NOT_FOUND,
    PermissionDenied: Problem(403, "forbidden", "Access denied", detail="You do not have permission for this request."),
    RequestDataTooBig: Problem(413, "body-too-large", "Body too large", detail="The body was not read."),
    DisallowedHost: Problem(
        400, "malformed-request", "Malformed request", detail="The host name in the Host header is not served here."
    ),
    SuspiciousOperation: Problem(400, "malformed-request", "Malformed request", detail="The request is malformed."),
    BadRequest: Problem(400, "malformed-request", "Malformed request"),
}

BY_STATUS: dict[int, Problem] = {
    400: Problem(400, "malformed-request", "Malformed request", detail="The request is malformed."),
    403: Problem(403, "forbidden", "Access denied", detail="You do not have permission for this request."),
    404: NOT_FOUND,
    405: Problem(405, "method-not-allowed", "Method not allowed", detail="This URL does not support the method."),
}


def problem_of(error: Exception) -> Problem | None:
    """Return the problem of this error or of its nearest base class; None for an unexpected error."""
    for kind in type(error).__mro__:
        for table in (PROBLEMS, OUTAGES, FRAMEWORK):
            if kind in table:
                return table[kind]
    return None
