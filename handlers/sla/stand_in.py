"""What judges a clock whose own version of the policy can't be understood, once it has to go on.

Its due time was reckoned by who understood that version, and was promised: it is kept.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from handlers.routing import CompiledPolicy
from handlers.sla.clock import Clock, settled
from handlers.sla.rows import clock_of
from handlers.sla.terms import Terms, default_terms
from schemas.vocabulary import SlaMetric

_SECOND: Final = timedelta(seconds=1)


def stand_in(row: Any, policy: CompiledPolicy | None) -> Clock:  # noqa: ANN401  a row of asyncpg's
    """The clock of a row with db.clocks.FIELDS, judged by its SLA policy's namesake in this policy.

    policy: the tenant's in force; where it has no such SLA policy, the defaults judge, 24x7. The
    target is what has to pass until the due time by the hours that count now: where they are those
    that it had, the target that it had. It is never due earlier.
    """
    metric = SlaMetric(row["metric"])

    def judged(target: timedelta) -> Terms:
        namesake = None if policy is None else policy.sla.terms(row["policy"], metric, target)
        return namesake or default_terms(metric, target)

    terms = judged(timedelta(seconds=row["target_seconds"]))
    clock = clock_of(row, terms)
    if clock.due_at is not None:
        until_due = terms.hours.elapsed(clock.counted_at, clock.due_at, clock.pauses)
        target = _whole_seconds(clock.elapsed + until_due)
        reached = clock.reached_at(target)
        if reached is not None and reached < clock.due_at:  # which is closed now: the next opening
            target += _SECOND
        clock = replace(clock, terms=judged(target))
    elif clock.pauses and terms.policy is None:
        # Until the open pause nobody can say what counted: most hours are no business hours.
        since = clock.pauses[-1][0]
        paused = clock.paused_at(since)
        clock = replace(clock, counted_at=since, paused=paused, pauses=clock.pauses[-1:])
    return settled(clock) if clock.is_live else clock


def _whole_seconds(duration: timedelta) -> timedelta:
    """As much or a little more, as a target is kept; never none."""
    return max(-(-duration // _SECOND), 1) * _SECOND
