"""Reads the settings of the ledger from the environment."""

from pathlib import Path

from config.settings.news_environment import EnvironmentReader
from predictions.conf import LedgerSettings

SWITCH = ("on", "off")


def read_ledger(reader: EnvironmentReader, data_dir: Path) -> LedgerSettings:
    """Return the settings of the ledger; its files are in the data folder by default. Raises ValueError."""
    clone = reader.text("HINDCAST_WITNESS_GIT_CLONE", "")
    return LedgerSettings(
        key_file=Path(reader.text("HINDCAST_LEDGER_KEY_FILE", str(data_dir / "ledger_key"))),
        heads_file=data_dir / "ledger_heads.jsonl",
        timestamps_dir=data_dir / "ledger_timestamps",
        mail_heads=reader.choice("HINDCAST_WITNESS_MAIL", "on", SWITCH) == "on",
        git_clone=Path(clone) if clone else None,
        peers=reader.words("HINDCAST_WITNESS_URLS", ""),
        calendars=tuple(url.rstrip("/") for url in reader.words("HINDCAST_OPENTIMESTAMPS_URLS", "")),
        trusted_keys=reader.words("HINDCAST_WITNESS_TRUSTED_KEYS", ""),
    )
