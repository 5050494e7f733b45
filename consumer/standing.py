"""How clocks stand at an instant: reckoned then, by what each of them is judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from db import clock_reading
from handlers.policies import of_versions
from handlers.routing import PolicyUnreadable
from handlers.sla.clock import Clock, ClockState, Pause
from handlers.sla.loading import terms_of
from handlers.sla.rows import clock_of

INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A clock as it stands. Seconds are of business time, but paused_seconds: of any time.

    state: running, paused, fulfilled or cancelled, at that instant. is_open: whether its business
    hours are on, so that it counts. is_late: its target's time is over, told or not. told: the
    levels that were, such as warning:50. problem: why what has to be reckoned is null.
    """

    metric: str
    cycle: int
    state: str
    pause_reasons: Sequence[str]
    paused_until: datetime | None
    is_open: bool | None
    is_breached: bool
    is_annulled: bool
    is_late: bool
    target_seconds: int
    elapsed_seconds: float | None
    left_seconds: float | None
    overrun_seconds: float | None
    used_percent: float | None
    paused_seconds: float | None
    started_at: datetime
    due_at: datetime | None
    next_fire_at: datetime | None
    ended_at: datetime | None
    annulled_at: datetime | None
    policy: str | None
    policy_version: int | None
    calendar: str | None
    calendar_version: int | None
    told: Sequence[str]
    breach_sequence: int | None
    breaches: int
    problem: str | None = None
    history: Sequence[Mapping[str, Any]] = field(default_factory=list)


async def standings(
    connection: asyncpg.Connection, rows: Sequence[Any], now: datetime
) -> list[Standing]:
    """How the clocks of these rows stand now. rows: with FIELDS and calendar_version."""
    named = {(row["tenant_id"], row["policy_version"]) for row in rows if row["policy"] is not None}
    versions = await of_versions(connection, sorted(named)) if named else {}
    found = []
    for row in rows:
        terms = terms_of(row, versions)
        if isinstance(terms, PolicyUnreadable):
            found.append(_standing(row, str(terms), now))
        else:
            found.append(_standing(row, clock_of(row, terms), now))
    return found


async def clocks_of(
    connection: asyncpg.Connection, tenant_id: str, ticket_id: str, now: datetime
) -> list[Standing]:
    """All clocks of a ticket, every cycle, with what happened to each; the newest last."""
    rows = await clock_reading.of_ticket(connection, tenant_id, ticket_id)
    history = await clock_reading.segments(connection, tenant_id, ticket_id)
    return [
        replace(each, history=history.get((each.metric, each.cycle), []))
        for each in await standings(connection, rows, now)
    ]


def _standing(row: Any, clock: Clock | str, now: datetime) -> Standing:  # noqa: ANN401  asyncpg's
    due_at, ended_at = row["due_at"], row["ended_at"]
    shared = {name: row[name] for name in _AS_STORED}
    reckoned = _not_reckoned(row, clock) if isinstance(clock, str) else _reckoned(clock, now)
    return Standing(
        **shared,
        is_breached=row["breach_sequence"] is not None and row["annulled_at"] is None,
        is_annulled=row["annulled_at"] is not None,
        is_late=due_at is not None and (ended_at or now) > due_at,
        told=row["fired"],
        **reckoned,
    )


_AS_STORED: Final = (
    *("metric", "cycle", "target_seconds", "started_at", "due_at", "next_fire_at", "ended_at"),
    *("annulled_at", "policy", "policy_version", "calendar_version", "breach_sequence", "breaches"),
)


def _reckoned(clock: Clock, now: datetime) -> dict[str, Any]:
    target, elapsed = clock.terms.target, clock.elapsed_at(now)
    pause = _pause(clock, now) if clock.is_live else None
    is_running = clock.is_live and pause is None
    state = clock.state
    if clock.is_live:
        state = ClockState.RUNNING if is_running else ClockState.PAUSED
    return {
        "state": state.value,
        "pause_reasons": sorted(clock.reasons) if pause else [],
        "paused_until": pause[1] if pause else None,
        "is_open": bool(clock.terms.hours.elapsed(now, now + INSTANT)) if is_running else None,
        "elapsed_seconds": elapsed.total_seconds(),
        "left_seconds": max(target - elapsed, timedelta()).total_seconds(),
        "overrun_seconds": max(elapsed - target, timedelta()).total_seconds(),
        "used_percent": round(100 * (elapsed / target), 1),
        "paused_seconds": clock.paused_at(now).total_seconds(),
        "calendar": clock.terms.calendar,
    }


def _pause(clock: Clock, now: datetime) -> Pause | None:
    """The pause that covers this instant: one that ends by itself stays in the row."""
    return next(
        (
            (start, end)
            for start, end in clock.pauses
            if start <= now and (end is None or end > now)
        ),
        None,
    )


def _not_reckoned(row: Any, problem: str) -> dict[str, Any]:  # noqa: ANN401  asyncpg's
    return {
        "state": row["state"],
        "pause_reasons": row["pause_reasons"],
        **dict.fromkeys(_NEEDING_TERMS),
        "problem": problem,
    }


_NEEDING_TERMS: Final = (
    *("paused_until", "is_open", "elapsed_seconds", "left_seconds", "overrun_seconds"),
    *("used_percent", "paused_seconds", "calendar"),
)
