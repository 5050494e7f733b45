"""A ticket's audit trail for people: who did what, from what to what, when, and caused by what."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from consumer.cli.clock_bars import business_time
from consumer.cli.moments import shown, span, stamp
from consumer.cli.output import say, say_below, shortened
from db.ticket_reading import Fact
from handlers.sla.ladder import REASON
from handlers.sla.notices import COMPLETION, SLA_TYPES, TIMER
from schemas.vocabulary import SYSTEM_ACTOR

MOST_SHOWN: Final = 120
"""Characters of a value. `--json` has it whole."""

OWN_WORDS: Final = frozenset({TIMER, COMPLETION, REASON})
"""Reasons that are told in other words."""

WORTH_TELLING: Final = timedelta(seconds=1)


def print_timeline(facts: Sequence[Fact], now: datetime) -> None:
    """Every fact, and whether subscribers can have read it."""
    say("\nTimeline", "bold")
    for fact in facts:
        at = shown(fact.occurred_at, now)
        say(f"{fact.sequence:>3}  {fact.ce_type}, {at}, {publication(fact)}")
        for line in _told(fact, now):
            say_below(line)


def publication(fact: Fact) -> str:
    """Where a fact is on its way to subscribers."""
    if fact.held_reason is not None:
        return f"held: {fact.held_reason}"
    return "waiting" if fact.is_waiting else "published"


def _told(fact: Fact, now: datetime) -> Iterator[str]:
    data = fact.data
    if (by := _by(fact)) is not None:
        yield f"by {by}"
    if fact.ce_type in SLA_TYPES:
        yield from _of_clock(data, now)
    if (message := data.get("message")) is not None and isinstance(message, Mapping):
        body = message.get("body")
        yield "an internal message" if body is None else f"said: {shortened(body, MOST_SHOWN)}"
    for name, change in (data.get("changes") or {}).items():
        yield f"{name}: {_value(name, change['from'])} to {_value(name, change['to'])}"
    if data.get("reason") not in {None, "", *OWN_WORDS}:
        yield f"reason: {shortened(data['reason'], MOST_SHOWN)}"
    if (late := _lateness(data)) is not None:
        yield late
    if fact.causation_id is not None:
        yield f"cause: {fact.causation_id}"
    if fact.record is not None:
        yield f"cause: record {fact.record}"


def _by(fact: Fact) -> str | None:
    actor = fact.data.get("actor")
    if fact.ce_type in SLA_TYPES or (fact.data.get("reason") == REASON and _is_time(actor)):
        return "the SLA"
    return None if actor is None else " ".join(filter(None, (actor.get("type"), actor.get("id"))))


def _is_time(actor: Mapping[str, Any] | None) -> bool:
    """Whether nobody did it: workflows have an id."""
    return actor is not None and actor.get("type") == SYSTEM_ACTOR and actor.get("id") is None


def _of_clock(data: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """What a warning, a breach or an annulment is about."""
    clock = f"{data['metric'].replace('_', ' ')}, cycle {data['cycle']}"
    target = business_time(data["target_seconds"])
    due = f"due {shown(datetime.fromisoformat(data['due_at']), now)}"
    if "threshold_percent" in data:
        yield f"{clock}: {data['threshold_percent']} % of {target} used, {due}"
    elif "annulled_ce_id" in data:
        yield f"{clock}: it was no breach, {due}"
    else:
        over = data["overrun_seconds"]
        yield f"{clock}: breached, {due}, target {target}" + (
            f", {business_time(over)} over" if over else ""
        )


def _lateness(data: Mapping[str, Any]) -> str | None:
    """How much later than it was due, where that is more than timers need."""
    if data.get("reason") == COMPLETION:
        return "noticed at completion"
    late = timedelta()
    if "annulled_ce_id" in data:
        return None
    if "detection_lag_ms" in data:
        late = timedelta(milliseconds=data["detection_lag_ms"])
    elif _is_time(data.get("actor")) and data.get("updated_at") and data.get("occurred_at"):
        noticed, due = (
            datetime.fromisoformat(data[name]) for name in ("updated_at", "occurred_at")
        )
        late = noticed - due
    return f"noticed {span(late.total_seconds())} late" if late >= WORTH_TELLING else None


def _value(name: str, value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str) and (name.endswith("_at") or name == "sla_due_date"):
        return stamp(datetime.fromisoformat(value))
    return shortened(value if isinstance(value, str) else orjson.dumps(value).decode(), MOST_SHOWN)
