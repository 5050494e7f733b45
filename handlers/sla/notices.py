"""What is told of a clock: its warnings, its breach, and that it was none after all."""

from datetime import datetime, timedelta
from typing import Any, Final

from handlers.facts import utc
from handlers.sla.clock import Clock, Level
from handlers.ticket import Ticket

WARNING: Final = "sla.warning"
BREACHED: Final = "sla.breached"
ANNULLED: Final = "sla.breach_annulled"
SLA_TYPES: Final = frozenset({WARNING, BREACHED, ANNULLED})

TIMER: Final = "timer"
COMPLETION: Final = "completion"


def notice(
    clock: Clock, level: Level, ticket: Ticket, *, at: datetime, until: datetime, now: datetime
) -> dict[str, Any]:
    """The data of `sla.warning` or `sla.breached`, but for the sequence.

    at: when the level was reached; until: to when time is counted; now: when that was noticed.
    """
    data = _standing(clock, ticket, until, now)
    data["detection_lag_ms"] = _milliseconds(now - at)
    data["reason"] = TIMER
    if level.percent is not None:
        data["threshold_percent"] = level.percent
    return data


def annulment(
    clock: Clock, ticket: Ticket, *, ce_id: str, at: datetime, now: datetime
) -> dict[str, Any]:
    """The data of `sla.breach_annulled`, but for the sequence.

    ce_id: of the breach. at: when the target was met, of which we heard only now.
    """
    data = _standing(clock, ticket, at, now)
    data["detection_lag_ms"] = _milliseconds(now - at)
    data["annulled_ce_id"] = ce_id
    data["annulled_at"] = utc(now)
    data["reason"] = f"What was due was done in time, at {utc(at)}; that was reported late."
    return data


def _standing(clock: Clock, ticket: Ticket, until: datetime, now: datetime) -> dict[str, Any]:
    terms, elapsed = clock.terms, clock.elapsed_at(until)
    return {
        "ticket_id": ticket.id,
        "ticket_number": ticket.number,
        "tenant_id": ticket.tenant_id,
        "metric": clock.metric,
        "cycle": clock.cycle,
        "priority": ticket.priority,
        "due_at": utc(clock.earliest_due_at()),
        "detected_at": utc(now),
        "detection_lag_ms": 0,
        "target_seconds": _seconds(terms.target),
        "elapsed_seconds": _seconds(elapsed),
        "overrun_seconds": _seconds(max(elapsed - terms.target, timedelta())),
        "paused_seconds": _seconds(clock.paused_at(until)),
        "policy_version": terms.policy_version,
        "calendar_version": terms.calendar_version,
        "assigned_team": ticket.assigned_team,
        "escalation_level": ticket.escalation_level,
    }


def _seconds(duration: timedelta) -> float:
    """Whole ones without a fraction."""
    seconds = duration.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _milliseconds(duration: timedelta) -> int:
    return max(duration // timedelta(milliseconds=1), 0)
