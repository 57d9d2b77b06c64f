"""Times in rows that were asked for by hand, past the ORM."""

from __future__ import annotations

from datetime import UTC, datetime


def as_moment(value: datetime | str) -> datetime:
    """An aware time from what a driver gives: SQLite has text in UTC or, for a plain column, a naive time."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
