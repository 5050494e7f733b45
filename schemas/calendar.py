"""A calendar of business time: when a team works, and so when a clock of an SLA runs.

One shape in JSON and YAML. Intervals are `[open, close)` in the calendar's own zone. One whose
close is not after its open runs into the next day and belongs to the day on which it opens: 22:00
to 06:00 is a night shift, 00:00 to 00:00 a whole day. Intervals may touch and overlap.
"""

from datetime import date
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Final
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

NO_PLACES: Final = frozenset(("Factory", "localtime", "posixrules"))
"""Names that tzdata has for a machine's own use: what they mean differs from one to the next."""

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_DATES: Final = 10_000
LEAP_YEAR: Final = 2000

_HOURS: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
_TIME: Final = "a time of day as HH:MM or HH:MM:SS"
_INTERVALS: Final = (
    'a list of pairs of opening and closing times such as ["09:00", "17:30"]; [] is closed'
)


@cache
def _zones() -> dict[str, str]:
    """Every zone's name by its name in lower case."""
    return {name.lower(): name for name in available_timezones() - NO_PLACES}


def _is_zone(name: str) -> str:
    zones = _zones()
    if zones.get(name.lower()) == name:
        return name
    near = get_close_matches(name.lower(), zones, n=1, cutoff=0.6)
    nearest = zones[near[0]] if near else None
    hint = f"; did you mean {nearest}?" if nearest else ""
    raise PydanticCustomError(
        "timezone", "is no time zone{hint}", {"hint": hint, "nearest": nearest}
    )


def _is_date(text: str) -> str:
    return _checked(text, text)


def _is_annual_date(text: str) -> str:
    return _checked(text, f"{LEAP_YEAR}-{text}")


def _checked(text: str, iso: str) -> str:
    try:
        date.fromisoformat(iso)
    except ValueError:
        raise PydanticCustomError("no_date", "is no date") from None
    return text


def _or_nothing(value: object) -> object:
    """A YAML field that nothing follows is null, and means that there is nothing."""
    return () if value is None else value


def _or_no_entries(value: object) -> object:
    return {} if value is None else value


ZoneName = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=100),
    AfterValidator(_is_zone),
    Field(description="the name of an IANA time zone such as Europe/Berlin"),
]
OpeningTime = Annotated[
    str,
    StringConstraints(strict=True, pattern=f"^{_HOURS}$"),
    Field(description=f"{_TIME} from 00:00 to 23:59:59, and 24:00 only as a close"),
]
ClosingTime = Annotated[
    str,
    StringConstraints(strict=True, pattern=f"^(?:{_HOURS}|24:00(?::00)?)$"),
    Field(description=f"{_TIME} from 00:00 to 24:00"),
]
Interval = Annotated[
    tuple[OpeningTime, ClosingTime],
    Field(description=f"a pair: the opening and the closing time, each {_TIME}, 24:00 as a close"),
]
Intervals = Annotated[
    tuple[Interval, ...],
    Field(max_length=100, description=_INTERVALS),
    BeforeValidator(_or_nothing),
]
DateText = Annotated[
    str,
    StringConstraints(strict=True, pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    AfterValidator(_is_date),
    Field(description="a date as YYYY-MM-DD"),
]
AnnualDateText = Annotated[
    str,
    StringConstraints(strict=True, pattern="^[0-9]{2}-[0-9]{2}$"),
    AfterValidator(_is_annual_date),
    Field(description="a day of every year as MM-DD"),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Weekly(_Part):
    """The hours of an ordinary week. A day that is left out is closed."""

    mon: Intervals = ()
    tue: Intervals = ()
    wed: Intervals = ()
    thu: Intervals = ()
    fri: Intervals = ()
    sat: Intervals = ()
    sun: Intervals = ()


class Calendar(_Part):
    """Business time. An override beats a holiday, and a holiday beats the week."""

    timezone: ZoneName
    weekly: Annotated[
        Weekly,
        Field(description=f"an object with any of {', '.join(DAYS)}, each {_INTERVALS}"),
        BeforeValidator(_or_no_entries),
    ] = Weekly()
    holidays: Annotated[
        tuple[DateText, ...],
        Field(max_length=MOST_DATES, description="a list of dates as YYYY-MM-DD"),
        BeforeValidator(_or_nothing),
    ] = ()
    annual_holidays: Annotated[
        tuple[AnnualDateText, ...],
        Field(max_length=1_000, description="a list of days of every year as MM-DD"),
        BeforeValidator(_or_nothing),
    ] = ()
    date_overrides: Annotated[
        dict[DateText, Intervals],
        Field(
            max_length=MOST_DATES,
            description=f"an object of dates as YYYY-MM-DD, each {_INTERVALS}",
        ),
        BeforeValidator(_or_no_entries),
    ] = {}
