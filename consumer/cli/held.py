"""`ticketing republish --held`: facts that the broker refused, sent at last."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import typer

from consumer import clients
from consumer.cli.asking import confirm
from consumer.cli.fact_choice import Choice, told
from consumer.cli.failures import (
    FAILED,
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
from consumer.held_release import Release, held, relaying
from consumer.metrics import Metrics
from consumer.scan import started
from consumer.settings import Settings
from consumer.shutdown import Shutdown
from consumer.topics import existing_topics
from consumer.wording import counted
from db.connect import open_pool
from db.held_release import Held, Left
from db.past_facts import Filter
from schemas.catalogue import OUTBOUND_TOPICS

POOL_SIZE: Final = 4
MOST_HELD: Final = 100_000
MOST_TOLD: Final = 20
STOP_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for people. is_cut: there is more than one run takes."""

    wanted: Filter
    facts: Sequence[Held]
    is_cut: bool

    @property
    def subjects(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys(each.key.subject for each in self.facts))


def let_go(
    settings: Settings, choice: Choice, *, seconds: float, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Show what is held, ask, let it go, wait, tell."""
    with database_explained(settings):
        found = asyncio.run(_found(settings, choice))
    if not found.facts:
        _tell_nothing(as_json=as_json)
        return
    with kafka_explained(settings):
        absent = asyncio.run(_absent(settings))
    confirm(_touched(settings, found), "Let them go?", yes=yes or dry_run)
    if dry_run:
        _tell_dry(found, as_json=as_json)
        return
    with database_explained(settings), kafka_explained(settings):
        done, in_time = asyncio.run(_released(settings, found, absent, seconds))
    if as_json:
        print_json({"dry_run": False, **_as_json(done)})
    else:
        _tell(done)
    if not in_time:
        left = len(done.standing.waiting) + len(done.standing.loose)
        raise CommandFailed(
            f"{counted(left, 'fact')} still {'waits' if left == 1 else 'wait'}: whoever has the"
            " relay's lease sends what was let go."
        )
    if found.is_cut:
        raise CommandFailed(f"There are more than {MOST_HELD} held facts: run it again.")
    if done.standing.refused or done.standing.absent:
        raise typer.Exit(FAILED)


async def _found(settings: Settings, choice: Choice) -> Waiting:
    """Of tickets with a held fact of the types that were named: all that waits for people."""
    async with reading(settings) as connection:
        wanted = await choice.understood(connection)
    tenant_id, subject_id = wanted.subject or (wanted.tenant_id, None)
    pool = await open_pool(
        settings.database_url.get_secret_value(), size=1, pooler=settings.database_pooler
    )
    try:
        facts, is_cut = await held(pool, tenant_id=tenant_id, subject_id=subject_id, most=MOST_HELD)
    finally:
        pool.terminate()
    if wanted.types is not None:
        subjects = {each.key.subject for each in facts if each.ce_type in wanted.types}
        facts = [each for each in facts if each.key.subject in subjects]
    return Waiting(wanted, facts, is_cut)


async def _absent(settings: Settings) -> set[str]:
    """Which topics of ours don't exist: what goes there has to wait for them."""
    async with started(clients.admin(settings)) as admin:
        ours = {settings.topic_prefix + name for name in OUTBOUND_TOPICS}
        return ours - await existing_topics(admin)


async def _released(
    settings: Settings, found: Waiting, absent: Collection[str], seconds: float
) -> tuple[Release, bool]:
    """What became of them, and whether that was known in time."""
    dependencies = Dependencies(Metrics())
    pool = await open_pool(
        settings.database_url.get_secret_value(),
        size=POOL_SIZE,
        pooler=settings.database_pooler,
        application_name="ticketing republish --held",
    )
    release = Release(pool, dependencies, settings.topic_prefix, found.subjects, absent)
    try:
        with ProgressLine(len(found.facts), "facts") as line, outages_told(line.clear):
            async with (
                Shutdown(STOP_SECONDS) as shutdown,
                relaying(settings, pool, dependencies),
            ):
                await release.let_go()
                return release, await _followed(release, line, shutdown, seconds)
    finally:
        pool.terminate()


async def _followed(
    release: Release, line: ProgressLine, shutdown: Shutdown, seconds: float
) -> bool:
    """Whether everything was published or refused in time, and before we were told to stop."""
    following = asyncio.create_task(release.follow(line.advance))
    stopping = asyncio.create_task(shutdown.requested.wait())
    await asyncio.wait({following, stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if following.done():
        following.result()
        return True
    following.cancel()
    return False


def _touched(settings: Settings, found: Waiting) -> list[tuple[str, object]]:
    by_reason = Counter(each.reason for each in found.facts if not each.is_behind)
    reasons = [f"{number} times: {reason}" for reason, number in by_reason.most_common(MOST_TOLD)]
    return [
        ("brokers", settings.kafka_bootstrap_servers),
        ("database", database_place(settings)),
        *told(found.wanted),
        ("tickets and rejections", len(found.subjects)),
        ("held facts", len(found.facts)),
        *(("refused", reason) for reason in reasons),
    ]


def _tell_nothing(*, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": False, "released": 0, "published": 0, "refused": [], "waiting": 0})
    else:
        say("No held fact fits: nothing waits for people.")


def _tell_dry(found: Waiting, *, as_json: bool) -> None:
    if as_json:
        facts = [
            {**each.key._asdict(), "ce_type": each.ce_type, "reason": each.reason}
            for each in found.facts
        ]
        print_json({"dry_run": True, "held": facts})
    else:
        say(f"Would let {counted(len(found.facts), 'fact')} go.")


def _tell(done: Release) -> None:
    standing = done.standing
    say(f"Published {done.published} of {counted(len(done.released), 'held fact')}.")
    for left in standing.refused[:MOST_TOLD]:
        say(f"Refused again: {_named(left)}: {left.reason}", "red")
    if len(standing.refused) > MOST_TOLD:
        say(f"And {len(standing.refused) - MOST_TOLD} more were refused again.", "red")
    if standing.behind:
        say(f"{counted(len(standing.behind), 'fact')} behind them still held.")
    for topic, number in Counter(left.missing_topic for left in standing.absent).items():
        say(f"{counted(number, 'fact')} for {topic}, which does not exist: `ticketing topics`.")


def _named(left: Left) -> str:
    tenant_id, subject_id, sequence = left.key
    return f"fact {sequence} of {subject_id} in tenant {tenant_id}"


def _as_json(done: Release) -> dict[str, Any]:
    standing = done.standing
    return {
        "released": len(done.released),
        "published": done.published,
        "refused": [{**left.key._asdict(), "reason": left.reason} for left in standing.refused],
        "behind": len(standing.behind),
        "without_topic": len(standing.absent),
        "waiting": len(standing.waiting) + len(standing.loose),
    }
