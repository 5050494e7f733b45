"""Business time: when something is due, and how much time has passed, by a calendar and its pauses.

Pure, and exact to the microsecond. Durations are real elapsed seconds. Times go in aware and come
out in UTC.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import orjson

from handlers.sla.opening_hours import (
    MICROSECOND,
    Opening,
    OpeningHours,
    RoundTheClock,
)
from schemas.calendar import Calendar

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
LAST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
KEPT: Final = 1_000
"""Calendars that are kept compiled."""
NEVER: Final = LAST + 1
"""When an open pause ends."""

Pause = tuple[datetime, datetime | None]
"""From when, and until when; None while it is open. One that ends before it begins is none."""

Pauses = Sequence[tuple[int, int]]


class BusinessHours:
    """A calendar that is ready to be asked."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    def due(
        self, start: datetime, target: timedelta, pauses: Sequence[Pause] = ()
    ) -> datetime | None:
        """When so much business time has passed since `start`.

        Exactly at a close, it is that close. A target of 0 is due at the first instant that is open
        and not paused; a negative one walks back, and stops at the last instant that fits. None:
        an open pause stops the clock before, or the years 1 to 9999 don't have so much time.
        """
        at, amount = _microseconds(start), target // MICROSECOND
        if amount < 0:
            reached = self._back(at, -amount, _merged(pauses))
        else:
            reached = self._forward(at, amount, _merged(pauses))
        if reached is None or not FIRST <= reached <= LAST:
            return None
        return EPOCH + timedelta(microseconds=reached)

    def elapsed(self, start: datetime, stop: datetime, pauses: Sequence[Pause] = ()) -> timedelta:
        """The business time between two instants, pauses left out; reversed bounds have none."""
        begin, end = _microseconds(start), _microseconds(stop)
        if end <= begin:
            return timedelta()
        worked = self._opening.measure(begin, end)
        for since, until in _merged(pauses):
            paused_from, paused_to = max(since, begin), min(until, end)
            if paused_from < paused_to:
                worked -= self._opening.measure(paused_from, paused_to)
        return timedelta(microseconds=worked)

    def _forward(self, at: int, amount: int, pauses: Pauses) -> int | None:
        for since, until in pauses:
            if until <= at:
                continue
            if since > at:
                if amount:
                    worked = self._opening.measure(at, since)
                    if worked >= amount:
                        return self._opening.after(at, amount)
                    amount -= worked
                else:
                    reached = self._opening.opening(at)
                    if reached is None or reached < since:
                        return reached
            if until == NEVER:
                return None
            at = until
        return self._opening.after(at, amount) if amount else self._opening.opening(at)

    def _back(self, at: int, amount: int, pauses: Pauses) -> int | None:
        for since, until in reversed(pauses):
            if since >= at:
                continue
            if until < at:
                worked = self._opening.measure(until, at)
                if worked >= amount:
                    break
                amount -= worked
            at = since
        return self._opening.before(at, amount)


ALWAYS: Final = BusinessHours(RoundTheClock())
"""24x7: what applies where no calendar is set."""


def compile_calendar(calendar: Calendar) -> BusinessHours:
    """The calendar, ready to be asked. Keep it: it remembers the years that it worked out."""
    return BusinessHours(OpeningHours(calendar))


def compile_document(document: Mapping[str, Any]) -> BusinessHours:
    """The same of a calendar as a policy's stored document has it.

    Calendars that say the same are one object, in whatever version of a policy they stand.
    """
    return _compiled(orjson.dumps(document, option=orjson.OPT_SORT_KEYS))


@lru_cache(maxsize=KEPT)
def _compiled(document: bytes) -> BusinessHours:
    return compile_calendar(Calendar.model_validate(orjson.loads(document)))


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _merged(pauses: Sequence[Pause]) -> Pauses:
    """The pauses as a union: apart, in order, none of them empty."""
    return [*_union(pauses)] if pauses else ()


def _union(pauses: Sequence[Pause]) -> Iterator[tuple[int, int]]:
    spans = sorted(
        (_microseconds(since), NEVER if until is None else _microseconds(until))
        for since, until in pauses
    )
    begin, end = NEVER, FIRST - 1
    for since, until in spans:
        if until <= since:
            continue
        if begin == NEVER:
            begin, end = since, until
        elif since <= end:
            end = max(end, until)
        else:
            yield begin, end
            begin, end = since, until
    if begin != NEVER:
        yield begin, end
