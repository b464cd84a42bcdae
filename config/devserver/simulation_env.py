"""A time-lapse lives apart: a folder, servers and a clock of its own, whatever the environment names."""

from collections.abc import MutableMapping

from config.devserver.servers import data_folder
from marketdata.conf import TOLD_CLOCK

COMMAND = "timelapse"
FOLDER = "timelapse"
# What a site may have been given and a time-lapse must neither read, write nor send to.
NOT_SHARED = (
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "EMAIL_URL",
    "HINDCAST_ARTIFACTS_DIR",
    "HINDCAST_STREAM_URL",
    "SENTRY_DSN",
)


def set_apart(arguments: list[str], variables: MutableMapping[str, str]) -> None:
    """Point the variables of a time-lapse at what is its own; those of any other command stay as they are."""
    if arguments[1:2] != [COMMAND]:
        return
    folder = data_folder(variables) / FOLDER
    for name in NOT_SHARED:
        variables.pop(name, None)
    variables.update(HINDCAST_DATA_DIR=str(folder), HINDCAST_CLOCK=TOLD_CLOCK, HINDCAST_PROVIDERS="sample")
