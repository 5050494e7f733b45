"""`ticketing customers rebuild` at work: what the topics say, what differs, and what was done."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg
import typer

from consumer.announcements import Announcements, PartyKey
from consumer.cli.asking import confirm
from consumer.cli.failures import (
    FAILED,
    CommandFailed,
    database_explained,
    database_place,
    kafka_explained,
)
from consumer.cli.output import print_json, say
from consumer.cli.progress_line import ProgressLine
from consumer.rebuild import (
    Difference,
    Drift,
    Reading,
    Topics,
    apply,
    catch_up,
    compare,
    reading_topics,
)
from consumer.settings import Settings
from consumer.wording import counted
from db.connect import open_pool

SHOWN: Final = 20


@dataclass(slots=True)
class Rebuilding:
    """One run. changed: whom it has put right."""

    settings: Settings
    kinds: Sequence[str]
    yes: bool
    dry_run: bool
    as_json: bool
    announced: Announcements = field(default_factory=Announcements)
    drift: Drift = field(default_factory=Drift)
    topics: Topics = field(default_factory=lambda: Topics({}, {}, {}))
    changed: set[PartyKey] = field(default_factory=set)

    async def run(self) -> None:
        """Read, compare, show, ask, apply. Raises CommandFailed."""
        pool = await open_pool(
            self.settings.database_url.get_secret_value(),
            size=1,
            pooler=self.settings.database_pooler,
            application_name="ticketing customers rebuild",
        )
        try:
            async with reading_topics(self.settings, self.kinds) as reading:
                await self._compare(pool, reading)
                if not self.as_json:
                    self._show()
                if not self.drift.is_none and not self.dry_run:
                    await self._apply(pool, reading)
        finally:
            pool.terminate()

    async def _compare(self, pool: asyncpg.Pool, reading: Reading) -> None:
        self.topics = await reading.topics()
        if not self.topics.roles:
            kinds = " or ".join(f"{kind}s" for kind in self.kinds)
            raise CommandFailed(f"No topic that announces {kinds} exists: run `ticketing topics`.")
        with ProgressLine(self.topics.records, "records") as line:
            await reading.hear(self.announced, self.topics, line.advance)
        self.drift = await compare(pool, self.announced, self.kinds, shown=SHOWN)

    async def _apply(self, pool: asyncpg.Pool, reading: Reading) -> None:
        confirm(self._touched(), "Put them right?", yes=self.yes)
        with ProgressLine(len(self.drift.changes), "changes") as line:
            self.changed = await apply(pool, self.drift.changes, line.advance)
        await catch_up(pool, reading, self.topics, self.changed)

    def _touched(self) -> list[tuple[str, object]]:
        return [
            ("brokers", self.settings.kafka_bootstrap_servers),
            ("database", database_place(self.settings)),
            ("topics", ", ".join(sorted(self.topics.roles))),
            ("missing here", self.drift.missing),
            ("different here", self.drift.differing),
        ]

    def _show(self) -> None:
        """What the topics say, and where the tables disagree."""
        announced, drift = self.announced, self.drift
        parties = " and ".join(counted(announced.parties(kind), kind) for kind in self.kinds)
        say(
            f"{counted(announced.records, 'record')} in {', '.join(sorted(self.topics.roles))}"
            f" {'announces' if announced.records == 1 else 'announce'} {parties}."
        )
        if announced.problems:
            say(
                f"Without effect: {announced.unreadable} unreadable, {announced.moved} that move an"
                " id to another tenant.",
                "yellow",
            )
        for problem in announced.problems:
            say(f"  {problem}", "yellow")
        for difference in drift.first:
            say(f"  {sentence_of(difference)}")
        left = drift.missing + drift.differing - len(drift.first)
        if left > 0:
            say(f"  and {left} more")
        say(f"{drift.missing} missing here, {drift.differing} different here.")
        for number, what in (
            (drift.newer_here, "newer here than in any record"),
            (drift.foreign, "here of another tenant than announced"),
            (drift.unannounced, "here, but in no record: they stay"),
        ):
            if number:
                say(f"{number} {what}.")


def rebuild_parties(
    settings: Settings, kinds: Sequence[str], *, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Do it, tell it, and leave with 1 where --dry-run found a difference."""
    run = Rebuilding(settings, kinds, yes, dry_run, as_json)
    with database_explained(settings), kafka_explained(settings):
        asyncio.run(run.run())
    if as_json:
        print_json(_as_json(run))
    elif run.drift.is_none:
        say("Nothing differs.")
    elif not dry_run:
        say(f"Put right: {counted(len(run.changed), 'party', 'parties')}.")
    if dry_run and not run.drift.is_none:
        raise typer.Exit(FAILED)


def sentence_of(difference: Difference) -> str:
    """A party, and field by field what it should be."""
    what = f"{difference.party} {difference.id} of tenant {difference.after.tenant_id}"
    if difference.before is None:
        return f"{what} is missing here ({difference.after.status}, {difference.after.name})"
    fields = ", ".join(
        f"{name} {_shown(here)} should be {_shown(there)}"
        for name, (here, there) in difference.fields.items()
    )
    return f"{what}: {fields}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case datetime():
            return value.isoformat()
        case _:
            return str(value)


def _as_json(run: Rebuilding) -> dict[str, Any]:
    announced, drift = run.announced, run.drift
    return {
        "dry_run": run.dry_run,
        "topics": sorted(run.topics.roles),
        "records": announced.records,
        "announced": {kind: announced.parties(kind) for kind in run.kinds},
        "unreadable": announced.unreadable,
        "moved": announced.moved,
        "problems": announced.problems,
        "missing": drift.missing,
        "different": drift.differing,
        "newer_here": drift.newer_here,
        "other_tenant": drift.foreign,
        "unannounced": drift.unannounced,
        "unverified": drift.unverified,
        "differences": [
            {
                "party": each.party,
                "id": each.id,
                "tenant_id": each.after.tenant_id,
                "is_missing": each.before is None,
                "fields": {
                    name: {"here": here, "announced": there}
                    for name, (here, there) in each.fields.items()
                },
            }
            for each in drift.first
        ],
        "put_right": len(run.changed),
    }
