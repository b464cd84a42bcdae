"""Which status, name and words an error gets (RFC 9457): our own errors, then outages, then the framework's."""

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
    """How one kind of error is told: `facts` are attributes of the error that are shown with it.

    `detail` replaces the error's own sentence where that one is for operators only.
    """

    status: int
    slug: str
    title: str
    facts: tuple[str, ...] = ()
    detail: str = ""
    retry_after_s: int | None = None

    @property
    def type(self) -> str:
        """The `type` of the answer: where the page about problems explains this one."""
        return f"{PROBLEM_PAGE}#{self.slug}"


UNEXPECTED = Problem(
    500, "unexpected", "Something went wrong", detail="The error is recorded. Try again; nothing you sent was stored."
)
NOT_FOUND = Problem(404, "not-found", "Not found", detail="There is nothing at this address.")

PROBLEMS: dict[type[Exception], Problem] = {
    requests.MalformedUrl: Problem(400, "malformed-address", "The address cannot be read"),
    requests.UrlTooLong: Problem(414, "address-too-long", "The address is too long", ("limit",)),
    requests.HeadersTooLarge: Problem(431, "headers-too-large", "The headers are too large", ("limit",)),
    requests.BodyTooLarge: Problem(413, "body-too-large", "The body is too large", ("limit",)),
    requests.ServerBusy: Problem(503, "crowded", "Too much at once", retry_after_s=1),
    requests.Unreachable: Problem(503, "unreachable", "The site does not answer", retry_after_s=RETRY_AFTER_OUTAGE_S),
    requests.LengthMissing: Problem(411, "length-missing", "The body has no length"),
    requests.NotInSandbox: Problem(404, "not-in-sandbox", "Not in the sandbox", ("calls",)),
    requests.CsrfFailed: Problem(403, "csrf-failed", "The form is not from this site"),
    accounts.RateLimited: Problem(429, "rate-limited", "Too many calls", ("limit",)),
    accounts.LastAdministrator: Problem(409, "last-administrator", "The last administrator stays"),
    accounts.MailUnavailable: Problem(
        503,
        "mail-unavailable",
        "The message could not be sent",
        detail="Our mail server does not take messages just now. Operators have been told.",
        retry_after_s=60,
    ),
    accounts.InvalidCredentials: Problem(401, "credentials-refused", "Credentials refused", ("reason",)),
    accounts.LoginFailed: Problem(401, "sign-in-refused", "Not signed in"),
    accounts.EmailNotVerified: Problem(403, "address-unconfirmed", "The address is not confirmed"),
    accounts.EmailTaken: Problem(409, "address-taken", "There is such an account"),
    accounts.WeakPassword: Problem(409, "password-refused", "The password will not do", ("reasons",)),
    accounts.ExpiryTooLate: Problem(409, "expiry-refused", "The key cannot end then", ("most_days",)),
    accounts.KeyOutlivesCreator: Problem(409, "key-outlives-maker", "The key cannot live so long", ("latest",)),
    accounts.TooManyAttempts: Problem(429, "too-many-attempts", "Too many attempts"),
    accounts.ThrottleUnavailable: Problem(
        503,
        "sign-in-unavailable",
        "Signing in is not possible now",
        detail="A store that counts attempts is out of reach. Nothing was lost; try again in a few seconds.",
        retry_after_s=RETRY_AFTER_OUTAGE_S,
    ),
    accounts.KeyUnknown: Problem(404, "unknown-key", "No such API key", ("key_id",)),
    accounts.TooManyKeys: Problem(409, "too-many-keys", "No room for another key", ("limit",)),
    accounts.IdempotencyKeyMalformed: Problem(400, "malformed-idempotency-key", "Not an idempotency key"),
    accounts.IdempotencyKeyReused: Problem(422, "idempotency-key-reused", "The key belongs to another call"),
    accounts.IdempotencyKeyInUse: Problem(409, "idempotency-key-in-use", "The call is still being answered"),
    accounts.ScopeMissing: Problem(403, "scope-missing", "The key may not do this", ("scope",)),
    marketdata.SymbolMalformed: Problem(400, "malformed-symbol", "Not a symbol", ("symbol",)),
    marketdata.SymbolUnknown: Problem(404, "unknown-symbol", "No such symbol", ("symbol", "suggestions")),
    marketdata.ListingRejected: Problem(
        422, "unusable-listing", "The listing cannot be followed", ("symbol", "reason")
    ),
    marketdata.SessionUnknown: Problem(404, "unknown-session", "Not a session", ("mic", "day")),
    marketdata.DateRangeEmpty: Problem(404, "empty-period", "Nothing lies between", ("first", "last")),
    marketdata.KnownAtInFuture: Problem(409, "instant-ahead", "That instant has not come", ("known_at",)),
    marketdata.ProviderUnavailable: Problem(
        503,
        "provider-unavailable",
        "Market data is unavailable",
        ("provider", "kind"),
        detail="The source of market data does not answer. Try again in a minute.",
        retry_after_s=60,
    ),
    marketdata.ProviderRejected: Problem(
        502,
        "provider-rejected",
        "Market data was refused",
        ("provider", "kind"),
        detail="The source of market data refused the request.",
    ),
    marketdata.BarFileInvalid: Problem(422, "bar-file-unusable", "The file cannot be imported", ("name",)),
    marketdata.ScorerUnavailable: Problem(
        503,
        "scorer-unavailable",
        "Texts cannot be scored",
        ("scorer",),
        detail="The scorer of texts cannot be loaded. Operators have been told.",
        retry_after_s=60,
    ),
    mlops.NoChampion: Problem(503, "no-model", "No model yet", retry_after_s=RETRY_AFTER_TRAINING_S),
    mlops.ArtifactCorrupt: Problem(
        503,
        "model-unusable",
        "The model cannot be used",
        ("version",),
        detail="The files of the model in use fail their check. Operators have been told.",
        retry_after_s=RETRY_AFTER_TRAINING_S,
    ),
    mlops.InsufficientHistory: Problem(422, "insufficient-history", "Too little price history", ("have", "needed")),
    mlops.VersionUnknown: Problem(404, "unknown-version", "No such model version", ("version",)),
    mlops.PromotionRefused: Problem(409, "promotion-refused", "Not promoted", ("version", "reason")),
    mlops.PanelFileUnusable: Problem(422, "panel-file-unusable", "The file cannot be used", ("name", "reason")),
    forecasting.TooLittleHistory: Problem(422, "insufficient-history", "Too little price history", ("have", "needed")),
    forecasting.PricesStandStill: Problem(422, "prices-stand-still", "No price moved", ("sessions",)),
    forecasting.TooFewTestSessions: Problem(422, "nothing-to-test", "Too few sessions to test on", ("needed",)),
    forecasting.BundleUnreadable: Problem(
        503,
        "model-unusable",
        "The model cannot be used",
        detail="The files of the model cannot be read. Operators have been told.",
        retry_after_s=RETRY_AFTER_TRAINING_S,
    ),
    predictions.HorizonUnknown: Problem(400, "unknown-horizon", "No such horizon", ("horizon", "allowed")),
    predictions.ForecastUnavailable: Problem(
        503, "forecast-unavailable", "No forecast yet", ("symbol", "horizon"), retry_after_s=RETRY_AFTER_TRAINING_S
    ),
    predictions.OriginRefused: Problem(422, "origin-refused", "No forecast from that session", ("mic", "day")),
    predictions.LedgerBroken: Problem(
        500,
        "ledger-broken",
        "The record does not verify",
        ("forecast_id",),
        detail="A stored forecast does not match its seal. Operators have been told.",
    ),
    predictions.ForecastUnknown: Problem(404, "unknown-forecast", "No such forecast", ("forecast_id",)),
    predictions.HeadUnknown: Problem(404, "unknown-head", "No head of that day", ("day",)),
    predictions.ReplayUnknown: Problem(404, "unknown-replay", "No such replay"),
    predictions.ReplayImpossible: Problem(
        409, "replay-impossible", "Cannot be computed again", ("forecast_id", "reason")
    ),
    predictions.BatchUnknown: Problem(404, "unknown-batch", "No such batch"),
    predictions.BatchFinished: Problem(409, "batch-finished", "The batch is done"),
    predictions.BatchNeedsOwner: Problem(401, "batch-needs-owner", "Not signed in", ("most",)),
    alerts.TooManyRules: Problem(409, "too-many-rules", "No room for another rule", ("limit",)),
    alerts.DeliveryFailed: Problem(
        502, "delivery-failed", "The message was not delivered", ("channel",), detail="The channel refused the message."
    ),
}

_OUTAGE = Problem(
    503,
    "storage-unavailable",
    "A store does not answer",
    detail="A store this answer needs is out of reach. Nothing was lost; try again in a few seconds.",
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
        400, "invalid-request", "The request is not valid", detail="Some fields cannot be used; `errors` names them."
    ),
    exceptions.ParseError: Problem(400, "malformed-request", "The request cannot be read"),
    exceptions.AuthenticationFailed: Problem(401, "authentication-failed", "Not signed in"),
    exceptions.NotAuthenticated: Problem(401, "authentication-needed", "Not signed in"),
    exceptions.PermissionDenied: Problem(403, "forbidden", "Not allowed"),
    exceptions.NotFound: Problem(404, "not-found", "Not found"),
    exceptions.MethodNotAllowed: Problem(405, "method-not-allowed", "Method not allowed"),
    exceptions.NotAcceptable: Problem(406, "not-acceptable", "Not available in this form"),
    exceptions.UnsupportedMediaType: Problem(415, "unsupported-media-type", "Content of this type is not read"),
    exceptions.Throttled: Problem(429, "rate-limited", "Too many calls"),
    Http404: NOT_FOUND,
    PermissionDenied: Problem(403, "forbidden", "Not allowed", detail="You may not do this."),
    RequestDataTooBig: Problem(413, "body-too-large", "The body is too large", detail="It was not read."),
    DisallowedHost: Problem(
        400, "malformed-request", "The request cannot be read", detail="This site does not go by the name in Host."
    ),
    SuspiciousOperation: Problem(400, "malformed-request", "The request cannot be read", detail="It was refused."),
    BadRequest: Problem(400, "malformed-request", "The request cannot be read"),
}

BY_STATUS: dict[int, Problem] = {
    400: Problem(400, "malformed-request", "The request cannot be read", detail="It was refused."),
    403: Problem(403, "forbidden", "Not allowed", detail="You may not do this."),
    404: NOT_FOUND,
    405: Problem(405, "method-not-allowed", "Method not allowed", detail="This address does not take that method."),
}


def problem_of(error: Exception) -> Problem | None:
    """The entry for this error or for the nearest of its base classes; None when nobody foresaw it."""
    for kind in type(error).__mro__:
        for table in (PROBLEMS, OUTAGES, FRAMEWORK):
            if kind in table:
                return table[kind]
    return None
