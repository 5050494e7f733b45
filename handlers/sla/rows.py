"""Clocks become rows, and rows clocks."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from db.bulk import NULL, Row
from handlers.facts import utc
from handlers.sla.clock import Clock, ClockState, Pause, start
from handlers.sla.history import Segment
from handlers.sla.terms import Terms
from schemas.vocabulary import PauseReason

NEW_CLOCK_COLUMNS: Final = (
    "tenant_id",
    "ticket_id",
    "metric",
    "started_at",
    "target_seconds",
    "policy",
    "policy_version",
    "calendar_version",
    "due_at",
    "next_fire_at",
)
"""What a clock has that has only started; the rest are the table's defaults."""

CLOCK_COLUMNS: Final = (
    *NEW_CLOCK_COLUMNS,
    "cycle",
    "state",
    "counted_at",
    "elapsed_us",
    "paused_us",
    "pauses",
    "pause_reasons",
    "fired",
    "breach_sequence",
    "breaches",
    "ended_at",
    "annulled_at",
    "segments",
)

SEGMENT_COLUMNS: Final = (
    "tenant_id",
    "ticket_id",
    "metric",
    "cycle",
    "number",
    "kind",
    "at",
    "pause_reasons",
    "until",
    "target_seconds",
    "policy",
    "policy_version",
    "calendar_version",
)

_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)


def beginning(terms: Terms, at: datetime) -> tuple[Row, datetime | None]:
    """A new clock's row after its ticket's key, and its due time: alike for all that start now."""
    clock = start(terms, at)
    return _beginning(clock), clock.due_at


def _beginning(clock: Clock) -> Row:
    terms = clock.terms
    return (
        terms.metric,
        utc(clock.started_at),
        *_judged_by(terms),
        _at(clock.due_at),
        _at(clock.next_fire_at),
    )


def clock_row(tenant_id: str, ticket_id: str, clock: Clock) -> Row:
    """A row of CLOCK_COLUMNS."""
    return (
        tenant_id,
        ticket_id,
        *_beginning(clock),
        str(clock.cycle),
        clock.state,
        _at(clock.counted_at),
        str(clock.elapsed // _MICROSECOND),
        str(clock.paused // _MICROSECOND),
        _array(utc(bound) for pause in clock.pauses for bound in pause if bound is not None),
        _array(sorted(clock.reasons)),
        _array(sorted(clock.fired)),
        NULL if clock.breach_sequence is None else str(clock.breach_sequence),
        str(clock.breaches),
        _at(clock.ended_at),
        _at(clock.annulled_at),
        str(clock.segments),
    )


def segment_row(tenant_id: str, ticket_id: str, segment: Segment) -> Row:
    """A row of SEGMENT_COLUMNS."""
    return (
        tenant_id,
        ticket_id,
        segment.metric,
        str(segment.cycle),
        str(segment.number),
        segment.kind,
        utc(segment.at),
        _array(sorted(segment.reasons)),
        _at(segment.until),
        *_judged_by(segment.terms),
    )


def clock_of(row: Any, terms: Terms) -> Clock:  # noqa: ANN401  a row of asyncpg's
    """The clock of a row with db.clocks.FIELDS. terms: what that row is judged by."""
    return Clock(
        terms=terms,
        cycle=row["cycle"],
        started_at=row["started_at"],
        counted_at=row["counted_at"] or row["started_at"],
        due_at=row["due_at"],
        next_fire_at=row["next_fire_at"],
        state=ClockState(row["state"]),
        elapsed=timedelta(microseconds=row["elapsed_us"]),
        paused=timedelta(microseconds=row["paused_us"]),
        pauses=_pauses(row["pauses"]),
        reasons=frozenset(map(PauseReason, row["pause_reasons"])),
        fired=frozenset(row["fired"]),
        breach_sequence=row["breach_sequence"],
        breaches=row["breaches"],
        ended_at=row["ended_at"],
        annulled_at=row["annulled_at"],
        segments=row["segments"],
    )


def _pauses(bounds: list[datetime]) -> tuple[Pause, ...]:
    ends = [*bounds[1::2], None] if len(bounds) % 2 else bounds[1::2]
    return tuple(zip(bounds[::2], ends, strict=True))


def _judged_by(terms: Terms) -> Row:
    return (
        str(terms.target // _SECOND),
        NULL if terms.policy is None else terms.policy,
        NULL if terms.policy_version is None else str(terms.policy_version),
        NULL if terms.calendar_version is None else str(terms.calendar_version),
    )


def _at(instant: datetime | None) -> str:
    return NULL if instant is None else utc(instant)


def _array(items: Iterable[str]) -> str:
    """As PostgreSQL writes one; none of our words needs quotes there."""
    return f"{{{','.join(items)}}}"
