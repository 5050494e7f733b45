"""`ticketing republish` at work: what it will touch, the sending, and what was done."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import typer

from consumer import clients
from consumer.cli.asking import confirm
from consumer.cli.failures import (
    FAILED,
    CommandFailed,
    database_explained,
    kafka_explained,
    reading,
)
from consumer.cli.outages import outages_told
from consumer.cli.output import print_json
from consumer.cli.progress_line import ProgressLine
from consumer.cli.republish_page import (
    Refusals,
    sent_as_json,
    tell_dry,
    tell_sent,
    tell_touched,
    tell_unpublished,
    tell_way_on,
    touched,
)
from consumer.cli.republish_plan import Errand, Plan, parse_cursor, target_of
from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.past_facts import Census, PastFacts, census
from consumer.republish import Republisher, Sent
from consumer.scan import started
from consumer.settings import Settings
from consumer.shutdown import Shutdown
from consumer.topics import existing_topics
from db.connect import open_pool

STOP_SECONDS: Final = 5.0
"""How long a run that is told to stop may wait for what is on its way."""


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
        tell_touched(settings, plan, found, targets)
        tell_dry(plan, found, targets, dry_run=dry_run, as_json=as_json)
        return
    confirm(touched(settings, plan, found, targets), "Send them again?", yes=yes)
    with database_explained(settings), kafka_explained(settings):
        sent, is_whole = asyncio.run(_sent(settings, plan, found))
    if as_json:
        print_json(
            {"dry_run": False, "complete": is_whole, "topics": targets, **sent_as_json(sent)}
        )
    else:
        tell_sent(sent, targets)
    tell_unpublished(sent.unpublished)
    if not is_whole:
        tell_way_on(plan, settings, sent)
    if sent.refused or not is_whole:
        raise typer.Exit(FAILED)


async def _planned(settings: Settings, errand: Errand) -> Plan:
    topic = None if errand.topic is None else target_of(settings, errand.topic)
    after = None if errand.resume is None else parse_cursor(errand.resume)
    async with reading(settings) as connection:
        return Plan(await errand.choice.understood(connection), after, topic, errand.rate)


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
                on_refused=Refusals(line.clear).tell,
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
