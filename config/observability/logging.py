"""Logging to stderr, as JSON lines or console lines, with secrets redacted."""

import logging.config
import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[hidden]"
_SECRET_NAME = re.compile(
    r"(^|[_-])(passwords?|passwd|passphrase|secrets?|tokens?|api[_-]?keys?|authorization|cookies?|session_?(id|key)"
    r"|csrf\w*|dsn|jwt|credentials?)$",
    re.IGNORECASE,
)
_SECRET_IN_TEXT = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@]+@", re.IGNORECASE), rf"\1:{HIDDEN}@"),
    (re.compile(r"\b(Bearer|Basic|Token)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # Links in e-mails that set a password or confirm an address.
    (re.compile(r"(/(?:password/reset/key|confirm-email)/)[^/\s\"'?]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\bhc_[A-Za-z0-9_-]{6,}"), f"hc_{HIDDEN}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), HIDDEN),
    (
        re.compile(
            r"\b((?:api[_-]?key|access[_-]?key|[a-z_]*token|[a-z_]*secret|password|sessionid|csrftoken|signature)"
            r"[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
)
# Cheap pre-filter: every text that a pattern above matches contains one of these.
_HINT_OF_SECRET = re.compile(
    r"://|bearer|basic|hc_|eyj|key|token|secret|password|sessionid|signature|confirm-", re.IGNORECASE
)


def redact_secrets(value: Any) -> Any:
    """Replace passwords, tokens and keys in a value, recursively and inside texts."""
    if isinstance(value, str):
        if not _HINT_OF_SECRET.search(value):
            return value
        for pattern, replacement in _SECRET_IN_TEXT:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, dict):
        return {
            name: HIDDEN if _SECRET_NAME.search(str(name)) else redact_secrets(inner) for name, inner in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact_secrets(inner) for inner in value]
    return value


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Structlog processor that redacts secrets by field name and by pattern."""
    redacted: EventDict = redact_secrets(event)
    return redacted


class DropTraceback(logging.Filter):
    """Reduces a record to a warning without traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Modify the record; never drops it."""
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def logging_config(log_format: str, level: str) -> dict[str, Any]:
    """Return a dictConfig for the standard library's logging; `log_format` is `json` or `console`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_shared_processors(), structlog.stdlib.ExtraAdder()],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_final_processors(log_format),
                ],
            }
        },
        "filters": {"drop_traceback": {"()": DropTraceback}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "lines"},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # The request log already writes one line per request.
            "django.request": {"level": "ERROR"},
            # Scanners send foreign host names all day.
            "django.security.DisallowedHost": {"filters": ["drop_traceback"]},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.error": {"handlers": [], "propagate": True},
            "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
            "celery": {"handlers": [], "propagate": True},
            # Verbose at INFO, and the URLs may contain keys.
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "yfinance": {"level": "CRITICAL"},
            "peewee": {"level": "WARNING"},
        },
    }


def configure_logging(config: dict[str, Any]) -> None:
    """Configure structlog and the standard library; idempotent."""
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _shared_processors() -> list[Processor]:
    """Return the processors for our own and foreign records."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _final_processors(log_format: str) -> list[Processor]:
    if log_format == "console":
        return [redact, structlog.dev.ConsoleRenderer(colors=False)]
    return [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
