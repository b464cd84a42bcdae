"""Which session could know a text: the first one that had not closed when it was published."""

from datetime import date, datetime

from marketdata.calendars import latest_session, session_after


def session_for_publication(mic: str, published_at: datetime) -> date:
    """The first session of the exchange that closes after the instant; one at the very close belongs to the next.

    Early closes count as they were. Raises SessionUnknown outside the calendar.
    """
    return session_after(mic, latest_session(mic, published_at), 1)
