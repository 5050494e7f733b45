"""One clock of a ticket: how much of its target is used up, and what is due next. Pure.

Everything about a clock follows from when it started, what it is judged by and when it stood still:
`due_at` and `next_fire_at` are kept beside these for those who look, and are never added to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from handlers.sla.terms import LadderStep, Terms
from schemas.vocabulary import PauseReason, SlaMetric

BREACH: Final = "breach"
"""The level at which the target is used up."""

LONGEST_WAIT: Final = timedelta(days=366)
"""For a visit. A later one is none: whoever opens a ticket does not stop its clocks for ever."""

Pause = tuple[datetime, datetime | None]
"""From when to when a clock stands still; None: until something happens to the ticket."""

NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""Where the calendar has not enough time left to tell when."""


class ClockState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"


class Level(NamedTuple):
    """What is due once so much of the target's time has passed, once in a cycle.

    percent: of a warning; step: of the ladder; neither: the breach.
    """

    key: str
    need: timedelta
    percent: int | None = None
    step: LadderStep | None = None


class Due(NamedTuple):
    """A level, and when it is reached."""

    at: datetime
    level: Level


@dataclass(frozen=True, slots=True)
class Clock:
    """One cycle of one metric, as a row of `sla_clocks` keeps it.

    counted_at: from when on elapsed and paused are still to be counted, by these terms; elapsed and
    paused: what had passed before under earlier ones. pauses: since counted_at, in their order and
    apart; the last may be open or end in the future. fired: keys of levels. breaches: of this cycle
    and those before it that stand. segments: how many rows its history has.
    """

    terms: Terms
    cycle: int
    started_at: datetime
    counted_at: datetime
    due_at: datetime | None = None
    next_fire_at: datetime | None = None
    state: ClockState = ClockState.RUNNING
    elapsed: timedelta = timedelta()
    paused: timedelta = timedelta()
    pauses: tuple[Pause, ...] = ()
    reasons: frozenset[PauseReason] = frozenset()
    fired: frozenset[str] = frozenset()
    breach_sequence: int | None = None
    breaches: int = 0
    ended_at: datetime | None = None
    annulled_at: datetime | None = None
    segments: int = 0

    @property
    def metric(self) -> SlaMetric:
        return self.terms.metric

    @property
    def is_live(self) -> bool:
        """Whether it still measures something."""
        return self.state in {ClockState.RUNNING, ClockState.PAUSED}

    @property
    def is_breached(self) -> bool:
        """Whether this cycle's target was missed, and that stands."""
        return self.breach_sequence is not None and self.annulled_at is None

    def elapsed_at(self, instant: datetime) -> timedelta:
        """How much time has counted until then, at most until it ended."""
        until = instant if self.ended_at is None else min(instant, self.ended_at)
        return self.elapsed + self.terms.hours.elapsed(self.counted_at, until, self.pauses)

    def paused_at(self, instant: datetime) -> timedelta:
        """How long it has stood still until then, by the clock on the wall."""
        until = instant if self.ended_at is None else min(instant, self.ended_at)
        still = [min(end or until, until) - start for start, end in self.pauses if start < until]
        return sum(still, self.paused)

    def reached_at(self, need: timedelta) -> datetime | None:
        """When so much time will have counted, or has; None where a pause without an end stops it.

        Where the terms changed their calendar since, one that was reached before is found by
        counting back by the new one.
        """
        return self.terms.hours.due(self.counted_at, need - self.elapsed, self.pauses)

    def earliest_due_at(self) -> datetime:
        """When it is due; where it stands still without an end, when it would be if it ran on."""
        if self.due_at is not None:
            return self.due_at
        known = tuple(pause for pause in self.pauses if pause[1] is not None)
        due_at = self.terms.hours.due(self.counted_at, self.terms.target - self.elapsed, known)
        return due_at or NEVER

    def next_due(self) -> Due | None:
        """The next level that it will reach, or has reached and not told."""
        if not self.is_live:
            return None
        for level in levels(self.terms):
            if level.key not in self.fired:
                at = self.reached_at(level.need)
                return None if at is None else Due(at, level)
        return None


@lru_cache(maxsize=10_000)
def levels(terms: Terms) -> Sequence[Level]:
    """All that can become due on a clock with these terms, in the order of time."""
    target = terms.target
    warned = [
        Level(f"warning:{percent}", target * percent / 100, percent) for percent in terms.warnings
    ]
    climbed = [
        Level(step.key, max(target + step.offset, timedelta()), step=step) for step in terms.ladder
    ]
    return sorted([*warned, Level(BREACH, target), *climbed], key=lambda level: level.need)


def start(terms: Terms, at: datetime, *, cycle: int = 1, breaches: int = 0) -> Clock:
    """A clock that runs from this instant on."""
    return settled(Clock(terms, cycle, at, at, breaches=breaches))


def settled(clock: Clock) -> Clock:
    """The clock with what follows from the rest of it."""
    due = clock.next_due()
    return replace(
        clock,
        due_at=clock.reached_at(clock.terms.target) if clock.is_live else clock.due_at,
        next_fire_at=None if due is None else due.at,
    )


def fired(clock: Clock, level: Level) -> Clock:
    """The clock once this level is told."""
    return settled(replace(clock, fired=clock.fired | {level.key}))


def breached(clock: Clock, sequence: int) -> Clock:
    """The clock once its breach is told, by the ticket's fact of this sequence."""
    return settled(
        replace(
            clock,
            fired=clock.fired | {BREACH},
            breach_sequence=sequence,
            breaches=clock.breaches + 1,
            annulled_at=None,
        )
    )


def held(
    clock: Clock, reasons: frozenset[PauseReason], visit: datetime | None, at: datetime
) -> Clock:
    """The clock with these reasons to stand still, from this instant on; runs only without any.

    visit: until when it stands still for a scheduled visit. The same clock, if nothing changes.
    """
    active = reasons & clock.terms.pauses
    if visit is None or not timedelta() < visit - at <= LONGEST_WAIT:
        active -= {PauseReason.SCHEDULED_VISIT}
    until = at if not active else None
    if active == {PauseReason.SCHEDULED_VISIT}:
        until = visit
    pauses = _stopped(clock.pauses, at, until)
    if pauses == clock.pauses and active == _still(clock, at):
        return clock
    state = ClockState.PAUSED if active else ClockState.RUNNING
    return settled(replace(clock, pauses=pauses, reasons=active, state=state))


def _still(clock: Clock, at: datetime) -> frozenset[PauseReason]:
    """The reasons for which it stands still at this instant: a visit's are over by themselves."""
    return clock.reasons if _covering(clock.pauses, at) else frozenset()


def _covering(pauses: Sequence[Pause], at: datetime) -> bool:
    """Whether the last pause goes on at this instant."""
    return bool(pauses) and (pauses[-1][1] is None or pauses[-1][1] > at)


def _stopped(pauses: tuple[Pause, ...], at: datetime, until: datetime | None) -> tuple[Pause, ...]:
    """The pauses with one that goes on at this instant until then; with none, if that is now."""
    began = at
    if _covering(pauses, at):
        began, pauses = min(pauses[-1][0], at), pauses[:-1]
    if until is not None and until <= began:
        return pauses
    return (*pauses, (began, until))


def are_alike(one: Terms, other: Terms) -> bool:
    """Whether it makes no difference by which of these a clock is judged."""
    return one is other or (one.policy, one.policy_version, one.target) == (
        other.policy,
        other.policy_version,
        other.target,
    )


def retargeted(clock: Clock, terms: Terms, at: datetime) -> Clock:
    """The clock judged by other terms from this instant on; what has passed counts.

    By the same hours it is as if they had held from the start. By others, what has passed is kept
    as it was counted.
    """
    if terms.hours != clock.terms.hours:
        clock = replace(
            clock,
            elapsed=clock.elapsed_at(at),
            paused=clock.paused_at(at),
            counted_at=at,
            pauses=_left(clock.pauses, at),
        )
    return settled(replace(clock, terms=terms))


def ended(clock: Clock, state: ClockState, at: datetime) -> Clock:
    """The clock fulfilled or cancelled at this instant; what it stood still for later is void."""
    pauses = _cut(clock.pauses, at)
    ending = replace(clock, state=state, ended_at=at, pauses=pauses, reasons=frozenset())
    return replace(ending, due_at=ending.reached_at(ending.terms.target), next_fire_at=None)


def annulled(clock: Clock, at: datetime) -> Clock:
    """The clock without its breach. Should it go on one day, it may be breached then."""
    return replace(clock, annulled_at=at, breaches=clock.breaches - 1, fired=clock.fired - {BREACH})


def continued(clock: Clock, at: datetime) -> Clock:
    """An ended clock runs again; the time since does not count."""
    gap: tuple[Pause, ...] = ()
    if clock.ended_at is not None and clock.ended_at < at:
        gap = ((clock.ended_at, at),)
    pauses = (*clock.pauses, *gap)
    return settled(replace(clock, state=ClockState.RUNNING, ended_at=None, pauses=pauses))


def _left(pauses: Iterable[Pause], at: datetime) -> tuple[Pause, ...]:
    """What of these pauses is after this instant."""
    return tuple((max(start, at), end) for start, end in pauses if end is None or end > at)


def _cut(pauses: Iterable[Pause], at: datetime) -> tuple[Pause, ...]:
    """What of these pauses was before this instant."""
    return tuple(
        (start, at if end is None else min(end, at)) for start, end in pauses if start < at
    )
