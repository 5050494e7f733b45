"""Durations as people write them in a policy: `90s`, `15m`, `3h30m`.

There are no days: of business time a day has as many hours as the calendar says.
"""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(days=3_650)
FORM: Final = "a duration of hours, minutes and seconds from 1s to 87600h, such as 15m, 4h or 3h30m"
OFFSET_FORM: Final = (
    "due, or a duration before or after it, such as 30m before due or 1h30m after due"
)
DUE: Final = "due"

_PARTS: Final = re.compile(r"(?:([0-9]{1,9})h)? ?(?:([0-9]{1,9})m)? ?(?:([0-9]{1,9})s)?", re.ASCII)
_HAS_DAYS: Final = re.compile(r"[0-9] ?(d|days?|w|weeks?)(?![a-z])", re.ASCII)
_OFFSET: Final = re.compile(r"(.+) (before|after) due")


class NoDuration(ValueError):
    """{problem}, as a clause; empty where the text is of another form altogether."""


def parsed(text: str) -> timedelta:
    """What a text such as `3h30m` means. Raises NoDuration."""
    if _HAS_DAYS.search(text):
        raise NoDuration("has days, whose business hours differ")
    found = _PARTS.fullmatch(text)
    if found is None or not any(found.groups()):
        raise NoDuration
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    try:
        duration = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise NoDuration("is too long") from None
    if duration < SHORTEST:
        raise NoDuration("is too short")
    if duration > LONGEST:
        raise NoDuration("is too long")
    return duration


def duration_text(duration: timedelta) -> str:
    """The one text of a duration of whole seconds: `3h30m`, never `210m`."""
    minutes, seconds = divmod(round(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)


def parsed_offset(text: str) -> timedelta:
    """What `due`, `30m before due` and `1h after due` mean: negative before. Raises NoDuration."""
    words = " ".join(text.split())
    if words == DUE:
        return timedelta()
    found = _OFFSET.fullmatch(words)
    if found is None:
        raise NoDuration
    duration = parsed(found[1])
    return -duration if found[2] == "before" else duration


def offset_text(offset: timedelta) -> str:
    """The one text of a time before or after the due time."""
    if not offset:
        return DUE
    side = "before" if offset < timedelta() else "after"
    return f"{duration_text(abs(offset))} {side} due"


def duration_of(value: object) -> timedelta:
    """A duration's value in a document; raises pydantic's error, which says what is wrong."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("duration", "")
    try:
        return parsed(value.strip())
    except NoDuration as error:
        raise PydanticCustomError("duration", "{problem}", {"problem": str(error)}) from None


def _offset_of(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("duration", "")
    try:
        return parsed_offset(value)
    except NoDuration as error:
        raise PydanticCustomError("duration", "{problem}", {"problem": str(error)}) from None


Offset = Annotated[
    timedelta,
    BeforeValidator(_offset_of),
    PlainSerializer(offset_text, return_type=str),
    Field(description=OFFSET_FORM),
]
"""Of business time, from the due time on."""
