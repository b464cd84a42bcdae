"""Reads the settings of the ledger from the environment."""

from pathlib import Path

from config.settings.news_environment import EnvironmentReader
from predictions.conf import LedgerSettings


def read_ledger(reader: EnvironmentReader, data_dir: Path) -> LedgerSettings:
    """Return the settings of the ledger; its files are in the data folder by default."""
    return LedgerSettings(key_file=Path(reader.text("HINDCAST_LEDGER_KEY_FILE", str(data_dir / "ledger_key"))))
