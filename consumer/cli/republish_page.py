"""What `ticketing republish` tells: what it will touch, what the broker refuses, what was sent."""

import shlex
from collections.abc import Callable, Collection
from typing import Any, Final

import typer

from consumer.cli.asking import confirm
from consumer.cli.fact_choice import told, words
from consumer.cli.failures import database_place
from consumer.cli.output import print_json, say
from consumer.cli.republish_plan import Plan, cursor_text
from consumer.past_facts import Census
from consumer.republish import NotTaken, Sent
from consumer.settings import Settings
from consumer.wording import counted
from db.past_facts import Filter

MOST_TOLD: Final = 20


class Refusals:
    """Tells what the broker refuses, as it happens; the first of them."""

    def __init__(self, make_room: Callable[[], None]) -> None:
        self._make_room = make_room
        self._told = 0

    def tell(self, refused: NotTaken) -> None:
        self._told += 1
        if self._told > MOST_TOLD:
            return
        self._make_room()
        _, tenant_id, subject_id, sequence = refused.fact.position
        what = f"Fact {sequence} ({refused.fact.ce_type}) of {subject_id} in tenant {tenant_id}"
        typer.echo(f"{what} was refused: {refused.reason}", err=True)


def touched(
    settings: Settings, plan: Plan, found: Census, targets: Collection[str]
) -> list[tuple[str, object]]:
    kinds = ", ".join(f"{number} {name}" for name, number in sorted(found.by_type.items()))
    return [
        ("brokers", settings.kafka_bootstrap_servers),
        ("database", database_place(settings)),
        *(told(plan.wanted) if plan.wanted != Filter() else [("filter", "none: all facts")]),
        *([("after", cursor_text(plan.after))] if plan.after else []),
        ("facts", f"{found.facts} ({kinds})" if kinds else 0),
        ("to", ", ".join(targets) or "-"),
        *([("rate", f"{plan.rate:g} facts a second at most")] if plan.rate else []),
        *([("left out", _unpublished(found.unpublished))] if found.unpublished else []),
    ]


def tell_touched(settings: Settings, plan: Plan, found: Census, targets: Collection[str]) -> None:
    confirm(touched(settings, plan, found, targets), "", yes=True)


def tell_dry(
    plan: Plan, found: Census, targets: Collection[str], *, dry_run: bool, as_json: bool
) -> None:
    if as_json:
        sent = Sent(found.by_type, unpublished=found.unpublished, cursor=plan.after)
        print_json({"dry_run": dry_run, "complete": True, "topics": targets, **sent_as_json(sent)})
    elif found.facts:
        say(f"Would send {counted(found.facts, 'fact')} again to {', '.join(targets)}.")
    else:
        say("No published fact fits.")


def tell_sent(sent: Sent, targets: Collection[str]) -> None:
    say(f"Sent {counted(sent.facts, 'fact')} again to {', '.join(targets)}:")
    for name, number in sorted(sent.by_type.items()):
        say(f"  {name}: {number}")
    if sent.refused:
        say(f"The broker refused {counted(sent.refused, 'fact')}.", "red")


def _unpublished(number: int) -> str:
    are = "is" if number == 1 else "are"
    return f"{counted(number, 'fact')} {are} not published yet: the relay sends them"


def tell_unpublished(number: int) -> None:
    if number:
        typer.echo(f"{_unpublished(number)}.", err=True)


def tell_way_on(plan: Plan, settings: Settings, sent: Sent) -> None:
    """The command that goes on, with times instead of ages."""
    cursor = cursor_text(sent.cursor or plan.after)
    line = ["ticketing", "republish", *words(plan.wanted)]
    if plan.topic is not None:
        line += ["--to-topic", plan.topic.removeprefix(settings.topic_prefix)]
    if plan.rate is not None:
        line += ["--rate", f"{plan.rate:g}"]
    if cursor is not None:
        line += ["--resume", cursor]
    typer.echo(f"Stopped; this goes on: {shlex.join(line)}", err=True)


def sent_as_json(sent: Sent) -> dict[str, Any]:
    return {
        "sent": sent.facts,
        "by_type": dict(sorted(sent.by_type.items())),
        "refused": sent.refused,
        "refusals": [
            {
                "tenant_id": each.fact.position.tenant_id,
                "subject_id": each.fact.position.subject_id,
                "sequence": each.fact.position.sequence,
                "ce_type": each.fact.ce_type,
                "reason": each.reason,
            }
            for each in sent.refusals
        ],
        "not_published": sent.unpublished,
        "from": sent.first_at,
        "to": sent.last_at,
        "cursor": cursor_text(sent.cursor),
    }
