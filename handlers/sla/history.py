"""The history of a clock: what happened to it, row by row. Replaying it gives the clock again."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from handlers.sla.clock import (
    LONGEST_WAIT,
    Clock,
    ClockState,
    Pause,
    continued,
    ended,
    held,
    retargeted,
    start,
)
from handlers.sla.terms import Terms
from schemas.vocabulary import PauseReason, SlaMetric


class SegmentKind(StrEnum):
    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    RETARGETED = "retargeted"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    REOPENED = "reopened"


class Segment(NamedTuple):
    """One thing that happened to a clock, a row of `sla_segments`.

    number: counts those of the cycle from 1. terms: from then on. reasons: for which it stood still
    from then on, until an instant or, if that is None, until something else happened.
    """

    metric: SlaMetric
    cycle: int
    number: int
    kind: SegmentKind
    at: datetime
    terms: Terms
    reasons: frozenset[PauseReason] = frozenset()
    until: datetime | None = None


_ENDINGS: Final = {
    ClockState.FULFILLED: SegmentKind.FULFILLED,
    ClockState.CANCELLED: SegmentKind.CANCELLED,
}


def happened(
    before: Clock, after: Clock, kind: SegmentKind, at: datetime
) -> tuple[Clock, list[Segment]]:
    """The clock after this happened to it, with one more row in its history.

    A clock to which nothing happened has no row: its own says when it started, by which terms.
    """
    told = []
    number = before.segments
    if number == 0:
        number = 1
        told.append(
            Segment(
                before.metric,
                before.cycle,
                number,
                SegmentKind.STARTED,
                before.started_at,
                before.terms,
            )
        )
    number += 1
    until = _until(after.pauses, at) if after.reasons else None
    told.append(
        Segment(after.metric, after.cycle, number, kind, at, after.terms, after.reasons, until)
    )
    return replace(after, segments=number), told


def ending(state: ClockState) -> SegmentKind:
    """What happened to a clock that is now in this state."""
    return _ENDINGS[state]


def _until(pauses: tuple[Pause, ...], at: datetime) -> datetime | None:
    return next(
        (end for began, end in pauses if began <= at and end is not None and end > at), None
    )


def replay(segments: Iterable[Segment]) -> Clock:
    """The clock that this history makes, but for what was told of it (fired and its breaches)."""
    rows = iter(segments)
    first = next(rows)
    clock = replace(start(first.terms, first.at, cycle=first.cycle), segments=1)
    for row in rows:
        clock = replace(_REPLAYED[row.kind](clock, row), segments=row.number)
    return clock


def _held(clock: Clock, row: Segment) -> Clock:
    """When a visit ends that is not the only reason to stand still makes no difference."""
    return held(clock, row.reasons, row.until or row.at + LONGEST_WAIT, row.at)


_REPLAYED: Final[dict[SegmentKind, Callable[[Clock, Segment], Clock]]] = {
    SegmentKind.PAUSED: _held,
    SegmentKind.RESUMED: _held,
    SegmentKind.RETARGETED: lambda clock, row: retargeted(clock, row.terms, row.at),
    SegmentKind.FULFILLED: lambda clock, row: ended(clock, ClockState.FULFILLED, row.at),
    SegmentKind.CANCELLED: lambda clock, row: ended(clock, ClockState.CANCELLED, row.at),
    SegmentKind.REOPENED: lambda clock, row: continued(clock, row.at),
}
