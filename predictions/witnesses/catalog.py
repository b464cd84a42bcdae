"""The witnesses that the settings name."""

from collections.abc import Iterator

from predictions.conf import LedgerSettings
from predictions.witnesses.base import Witness
from predictions.witnesses.git_remote import GitRemote
from predictions.witnesses.heads_file import HeadsFile
from predictions.witnesses.opentimestamps import OpenTimestamps
from predictions.witnesses.peer import Peer
from predictions.witnesses.staff_mail import StaffMail


def configured_witnesses(settings: LedgerSettings) -> Iterator[Witness]:
    """Yield the witnesses, those on this machine first."""
    yield HeadsFile(settings.heads_file)
    if settings.mail_heads:
        yield StaffMail()
    if settings.git_clone:
        yield GitRemote(settings.git_clone)
    for url in settings.peers:
        yield Peer(url)
    for url in settings.calendars:
        yield OpenTimestamps(url, settings.timestamps_dir)
