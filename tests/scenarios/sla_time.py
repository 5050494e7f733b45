"""Business time once more, in the plainest way: a list of open spans, whole microseconds.

A calendar is what it is open for on the days of a scenario; what is asked is answered by walking
over spans one after the other.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Final = 1_000_000
NEVER: Final = 2**62
"""When something without an end is over."""

Span = tuple[int, int]
"""From an instant on, until before another, as microseconds since 1970."""

ROUND_THE_CLOCK: Final[Sequence[Span]] = ((-NEVER, NEVER),)


def instant(told: str | datetime) -> int:
    """An RFC 3339 text or a time, as microseconds since 1970."""
    at = datetime.fromisoformat(told) if isinstance(told, str) else told
    return (at - EPOCH) // timedelta(microseconds=1)


def time_of(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def without(spans: Sequence[Span], pauses: Sequence[Span]) -> list[Span]:
    """What is left of the spans where none of these pauses is."""
    left = list(spans)
    for begin, end in pauses:
        left = [piece for span in left for piece in _around(span, begin, end)]
    return left


def _around(span: Span, begin: int, end: int) -> Iterator[Span]:
    since, until = span
    if end <= begin or end <= since or begin >= until:
        yield span
        return
    if since < begin:
        yield since, begin
    if end < until:
        yield end, until


def length(spans: Sequence[Span], since: int, until: int) -> int:
    """How much of the spans lies between these instants."""
    return sum(max(min(end, until) - max(begin, since), 0) for begin, end in spans)


def after(spans: Sequence[Span], since: int, amount: int) -> int | None:
    """The first instant at which so much of the spans has passed since this one."""
    for begin, end in spans:
        start = max(begin, since)
        if start >= end:
            continue
        if amount <= end - start:
            return start + amount
        amount -= end - start
    return None


def before(spans: Sequence[Span], until: int, amount: int) -> int | None:
    """The last instant from which on so much of the spans passes until this one."""
    for begin, end in reversed(spans):
        stop = min(end, until)
        if stop <= begin:
            continue
        if amount <= stop - begin:
            return stop - amount
        amount -= stop - begin
    return None
