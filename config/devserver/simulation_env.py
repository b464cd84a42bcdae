"""Environment of a time-lapse: its own data folder, servers and simulated clock."""

from collections.abc import MutableMapping

from config.devserver.servers import data_folder
from marketdata.conf import SIMULATED_CLOCK

COMMAND = "timelapse"
FOLDER = "timelapse"
# A time-lapse must not use the real site's servers, folders, mail or error reporting.
ISOLATED_VARIABLES = (
    "DATABASE_URL",
    "HINDCAST_DATABASE_OWNER_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "EMAIL_URL",
    "HINDCAST_ARTIFACTS_DIR",
    "HINDCAST_STREAM_URL",
    "SENTRY_DSN",
    "HINDCAST_LEDGER_KEY_FILE",
    "HINDCAST_WITNESS_GIT_CLONE",
    "HINDCAST_WITNESS_URLS",
    "HINDCAST_OPENTIMESTAMPS_URLS",
    "HINDCAST_WITNESS_TRUSTED_KEYS",
)


def isolate_time_lapse(arguments: list[str], variables: MutableMapping[str, str]) -> None:
    """Isolate the variables of the `timelapse` command; other commands are unaffected."""
    if arguments[1:2] != [COMMAND]:
        return
    folder = data_folder(variables) / FOLDER
    for name in ISOLATED_VARIABLES:
        variables.pop(name, None)
    variables.update(HINDCAST_DATA_DIR=str(folder), HINDCAST_CLOCK=SIMULATED_CLOCK, HINDCAST_PROVIDERS="sample")
