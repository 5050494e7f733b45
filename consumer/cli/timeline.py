"""A ticket's audit trail for people: who did what, from what to what, when, and caused by what."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from consumer.cli.moments import shown
from consumer.cli.output import say, shortened
from db.ticket_reading import Fact

MOST_SHOWN = 120
"""Characters of a value. `--json` has it whole."""


def print_timeline(facts: Sequence[Fact], now: datetime) -> None:
    """Every fact, and whether subscribers can have read it."""
    say("\nTimeline", "bold")
    for fact in facts:
        at = shown(fact.occurred_at, now)
        say(f"{fact.sequence:>3}  {fact.ce_type}, {at}, {publication(fact)}")
        for line in _told(fact):
            say(f"     {line}")


def publication(fact: Fact) -> str:
    """Where a fact is on its way to subscribers."""
    if fact.held_reason is not None:
        return f"held: {fact.held_reason}"
    return "waiting" if fact.is_waiting else "published"


def _told(fact: Fact) -> Iterator[str]:
    data = fact.data
    if (actor := data.get("actor")) is not None:
        yield f"by {_named(actor)}"
    if (message := data.get("message")) is not None and isinstance(message, Mapping):
        body = message.get("body")
        yield "an internal message" if body is None else f"said: {shortened(body, MOST_SHOWN)}"
    for name, change in (data.get("changes") or {}).items():
        yield f"{name}: {_value(change['from'])} to {_value(change['to'])}"
    if data.get("reason"):
        yield f"reason: {shortened(data['reason'], MOST_SHOWN)}"
    if fact.causation_id is not None:
        yield f"cause: {fact.causation_id}"
    if fact.record is not None:
        yield f"cause: record {fact.record}"


def _named(actor: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (actor.get("type"), actor.get("id"))))


def _value(value: object) -> str:
    if value is None:
        return "nothing"
    return shortened(value if isinstance(value, str) else orjson.dumps(value).decode(), MOST_SHOWN)
