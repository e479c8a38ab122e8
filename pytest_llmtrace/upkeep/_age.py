"""Find out when a cassette was recorded, as far as the file says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pytest_llmtrace.model import Cassette

__all__ = ["recorded_on"]

_NAMES = ("recorded_at", "recorded", "date")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def recorded_on(cassette: Cassette) -> date | None:
    """Return the day of the latest recording in a file: as its own fields say, else by its latest `date` header."""
    own = [cassette.origin.get(name) for name in _NAMES]
    days = [day for day in map(_day, own) if day is not None] or list(_of_headers(cassette))
    return max(days, default=None)


def _of_headers(cassette: Cassette) -> Iterator[date]:
    for recording in cassette.recordings:
        for name, value in recording.response.headers if recording.response else ():
            if name.lower() == "date":
                try:
                    yield parsedate_to_datetime(value).date()
                except ValueError:
                    continue


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    found = _DAY.search(value) if isinstance(value, str) else None
    try:
        return date.fromisoformat(found[0]) if found else None
    except ValueError:
        return None
