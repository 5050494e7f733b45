"""Times as operators write and read them: RFC 3339 with an offset, or an age."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

AGE: Final = re.compile(r"(\d+)\s*(s|m|h|d|w)")
UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
TIME_FORM: Final = "2026-01-31T12:00:00+01:00 or an age such as 15m, 2h or 3d"
FIRST_YEAR: Final = 1970


class UnusableTime(ValueError):
    """{text} is no time."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"{text!r} {problem}; write {TIME_FORM}.")


def parse_time(text: str, now: datetime) -> datetime:
    """A moment in UTC; an age counts back from `now`. Raises UnusableTime (no offset, say)."""
    stripped = text.strip()
    if age := AGE.fullmatch(stripped.lower()):
        try:
            return now - int(age[1]) * UNITS[age[2]]
        except OverflowError:
            raise UnusableTime(text, "is too long ago") from None
    try:
        moment = datetime.fromisoformat(stripped)
    except ValueError:
        raise UnusableTime(text, "is not a time") from None
    if moment.tzinfo is None:
        raise UnusableTime(text, "has no offset from UTC")
    if moment.year < FIRST_YEAR:
        raise UnusableTime(text, "is too long ago")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise UnusableTime(text, "is too far ahead") from None


def span(seconds: float) -> str:
    """A duration in its two largest units at most: 0s, 59s, 12m, 3h 05m, 2d 4h, 21d."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if minutes == 0:
        return f"{whole}s"
    if hours == 0:
        return f"{minutes}m"
    if days == 0:
        return f"{hours}h {minutes % 60:02}m"
    return f"{days}d {hours % 24}h" if days < UNITS["w"].days else f"{days}d"


def age(moment: datetime, now: datetime) -> str:
    """How long ago, or in how long."""
    seconds = (now - moment).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


def stamp(moment: datetime) -> str:
    """A moment in UTC, to the second: 2026-01-31T12:00:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(moment: datetime | None, now: datetime) -> str:
    """A moment with its age, or a dash."""
    return "-" if moment is None else f"{stamp(moment)} ({age(moment, now)})"


def shown_ms(milliseconds: int, now: datetime) -> str:
    """A record's timestamp, which its sender may have set to any number; ms since 1970."""
    try:
        return shown(datetime.fromtimestamp(milliseconds / 1000, UTC), now)
    except (ValueError, OverflowError, OSError):
        return f"{milliseconds} ms since 1970, which is no time"
