"""`ticketing republish` at work: what it will touch, the sending, and what was done."""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

import typer

from consumer import clients
from consumer.cli.asking import confirm
from consumer.cli.fact_choice import Choice, told, words
from consumer.cli.failures import (
    FAILED,
    WRONG_USE,
    CommandFailed,
    database_explained,
    database_place,
    kafka_explained,
    reading,
)
from consumer.cli.outages import outages_told
from consumer.cli.output import print_json, say
from consumer.cli.progress_line import ProgressLine
from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.outgoing import topics_under
from consumer.republish import Census, NotTaken, PastFacts, Republisher, Sent, census
from consumer.scan import started
from consumer.settings import Settings
from consumer.shutdown import Shutdown
from consumer.subscription import DEAD_LETTER_SUFFIX, Subscription
from consumer.topic_entry import LEGAL_NAME
from consumer.topics import existing_topics
from consumer.wording import counted
from db.connect import open_pool
from db.past_facts import Filter, Position
from schemas.catalogue import OUTBOUND_TOPICS

MOST_TOLD: Final = 20
STOP_SECONDS: Final = 5.0
"""How long a run that is told to stop may wait for what is on its way."""

CURSOR: Final = re.compile(r"(\d{1,18}):([A-Za-z0-9._-]+):([0-9a-f-]{36}):(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Errand:
    """What to send again, where to, and how. topic: without the prefix; resume: a cursor."""

    choice: Choice
    topic: str | None = None
    rate: float | None = None
    resume: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """An errand that can be done. topic: the only target, with the prefix."""

    wanted: Filter
    after: Position | None
    topic: str | None
    rate: float | None

    def topic_of(self, prefix: str) -> Callable[[str], str]:
        topic = self.topic
        return topics_under(prefix) if topic is None else lambda _: topic

    def targets(self, prefix: str, types: Collection[str]) -> list[str]:
        """The topics that facts of these types go to."""
        return sorted(set(map(self.topic_of(prefix), types)))


def send_again(
    settings: Settings, errand: Errand, *, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Count, ask, send, tell."""
    plan = asyncio.run(_planned(settings, errand))
    with database_explained(settings):
        found = asyncio.run(_counted(settings, plan))
    targets = plan.targets(settings.topic_prefix, found.by_type or plan.wanted.types or ())
    with kafka_explained(settings):
        asyncio.run(_require(settings, plan, targets))
    if not found.facts or dry_run:
        _tell_touched(settings, plan, found, targets)
        _tell_dry(plan, found, targets, dry_run=dry_run, as_json=as_json)
        return
    confirm(_touched(settings, plan, found, targets), "Send them again?", yes=yes)
    with database_explained(settings), kafka_explained(settings):
        sent, is_whole = asyncio.run(_sent(settings, plan, found))
    if as_json:
        print_json({"dry_run": False, "complete": is_whole, "topics": targets, **_as_json(sent)})
    else:
        _tell_sent(sent, targets)
    _tell_unpublished(sent.unpublished)
    if not is_whole:
        _tell_way_on(plan, settings, sent)
    if sent.refused or not is_whole:
        raise typer.Exit(FAILED)


async def _planned(settings: Settings, errand: Errand) -> Plan:
    topic = None if errand.topic is None else target_of(settings, errand.topic)
    after = None if errand.resume is None else parse_cursor(errand.resume)
    async with reading(settings) as connection:
        return Plan(await errand.choice.understood(connection), after, topic, errand.rate)


def target_of(settings: Settings, name: str) -> str:
    """The full name of a topic that may be written to. Raises CommandFailed."""
    full = settings.topic_prefix + name
    if LEGAL_NAME.fullmatch(full) is None:
        problem = "is not a legal name of a Kafka topic"
    elif name.endswith(DEAD_LETTER_SUFFIX):
        problem = "is a dead letter topic"
    elif Subscription(settings).role_of(full) is not None:
        problem = "is a topic that the service reads, which would take facts for requests"
    elif name in OUTBOUND_TOPICS:
        problem = "is a topic of ours, which has a type of its own; leave --to-topic out for it"
    else:
        return full
    raise CommandFailed(f"--to-topic: {full} {problem}.", WRONG_USE)


def parse_cursor(text: str) -> Position:
    """What a stopped run told. Raises CommandFailed."""
    found = CURSOR.fullmatch(text.strip())
    try:
        if found is not None:
            return Position(int(found[1]), found[2], str(UUID(found[3])), int(found[4]))
    except ValueError:
        pass
    raise CommandFailed(
        f"--resume is {text!r}; give the cursor that the stopped run told, such as"
        " 4711:acme:00000000-0000-4000-8000-000000000000:3.",
        WRONG_USE,
    )


def cursor_text(cursor: Position | None) -> str | None:
    return None if cursor is None else ":".join(map(str, cursor))


async def _require(settings: Settings, plan: Plan, targets: Collection[str]) -> None:
    """Raise CommandFailed unless all topics exist: a send to a missing one might create it."""
    async with started(clients.admin(settings)) as admin:
        missing = sorted(set(targets) - await existing_topics(admin))
    if not missing:
        return
    if plan.topic is None:
        raise CommandFailed(f"{', '.join(missing)} does not exist: run `ticketing topics`.")
    prefix = settings.topic_prefix
    rule = f" ({prefix} is put before the name)" if prefix else ""
    raise CommandFailed(f"--to-topic: {plan.topic} does not exist{rule}; create it first.")


@asynccontextmanager
async def _past(settings: Settings, plan: Plan) -> AsyncIterator[tuple[PastFacts, Dependencies]]:
    dependencies = Dependencies(Metrics())
    pool = await open_pool(
        settings.database_url.get_secret_value(),
        size=1,
        pooler=settings.database_pooler,
        application_name="ticketing republish",
    )
    try:
        facts = PastFacts(pool, dependencies, plan.wanted, plan.after)
        await facts.bounded()
        yield facts, dependencies
    finally:
        pool.terminate()


async def _counted(settings: Settings, plan: Plan) -> Census:
    with ProgressLine(None, "facts looked at") as line, outages_told(line.clear):
        async with _past(settings, plan) as (facts, _):
            return await census(facts, line.advance)


async def _sent(settings: Settings, plan: Plan, found: Census) -> tuple[Sent, bool]:
    """What was sent, and whether it came to the end or was stopped."""
    with ProgressLine(found.facts, "facts") as line, outages_told(line.clear):
        async with (
            Shutdown(STOP_SECONDS) as shutdown,
            _past(settings, plan) as (facts, dependencies),
        ):
            republisher = Republisher(
                facts,
                partial(clients.producer, settings),
                dependencies,
                topic_of=plan.topic_of(settings.topic_prefix),
                rate=plan.rate,
                on_sent=line.advance,
                on_refused=_Refusals(line.clear).tell,
            )
            is_whole = await _until_told_to_stop(republisher, shutdown)
            return republisher.sent, is_whole


async def _until_told_to_stop(republisher: Republisher, shutdown: Shutdown) -> bool:
    """Let it work; when stopped, let it finish what is on its way, if that goes quickly."""
    working = asyncio.create_task(republisher.run())
    stopping = asyncio.create_task(shutdown.requested.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        republisher.stop()
        expiry = asyncio.create_task(shutdown.expired.wait())
        await asyncio.wait({working, expiry}, return_when=asyncio.FIRST_COMPLETED)
        expiry.cancel()
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
        return False
    return working.result()


class _Refusals:
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


def _touched(
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


def _tell_touched(settings: Settings, plan: Plan, found: Census, targets: Collection[str]) -> None:
    confirm(_touched(settings, plan, found, targets), "", yes=True)


def _tell_dry(
    plan: Plan, found: Census, targets: Collection[str], *, dry_run: bool, as_json: bool
) -> None:
    if as_json:
        sent = Sent(found.by_type, unpublished=found.unpublished, cursor=plan.after)
        print_json({"dry_run": dry_run, "complete": True, "topics": targets, **_as_json(sent)})
    elif found.facts:
        say(f"Would send {counted(found.facts, 'fact')} again to {', '.join(targets)}.")
    else:
        say("No published fact fits.")


def _tell_sent(sent: Sent, targets: Collection[str]) -> None:
    say(f"Sent {counted(sent.facts, 'fact')} again to {', '.join(targets)}:")
    for name, number in sorted(sent.by_type.items()):
        say(f"  {name}: {number}")
    if sent.refused:
        say(f"The broker refused {counted(sent.refused, 'fact')}.", "red")


def _unpublished(number: int) -> str:
    are = "is" if number == 1 else "are"
    return f"{counted(number, 'fact')} {are} not published yet: the relay sends them"


def _tell_unpublished(number: int) -> None:
    if number:
        typer.echo(f"{_unpublished(number)}.", err=True)


def _tell_way_on(plan: Plan, settings: Settings, sent: Sent) -> None:
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


def _as_json(sent: Sent) -> dict[str, Any]:
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
