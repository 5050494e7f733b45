"""Fault after fault, each followed by rest and by the checker; the first broken promise ends it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from random import Random
from typing import Final
from unittest.mock import patch

from consumer import verify, window
from consumer.audit import Report
from tests.chaos.fault import Fault
from tests.chaos.scene import Scene
from tests.chaos.stage import scene_set
from tests.chaos.table import Row

SENTENCES_SHOWN: Final = 5
STRIKE_SECONDS: Final = 300.0
"""No fault may last longer; one that waits for what never happens is a broken promise."""


class BrokenPromise(Exception):
    """What must never happen has happened: {sentence}."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. rounds: how often each fault strikes at most; None: for as long as the time lasts."""

    faults: Sequence[Fault]
    seed: int
    seconds: float
    rounds: int | None = None
    per_second: int = 150
    services: int = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it ended. broken: the fault after which a promise was broken, and the sentence."""

    rows: Sequence[Row]
    broken: tuple[str, str] | None = None


async def run(plan: Plan, tell: Callable[[str], None]) -> Verdict:
    """Strike until the time is over. tell: takes lines for people, as it goes on."""
    rows = {fault.name: Row(fault.name) for fault in plan.faults}
    rng = Random(plan.seed)  # noqa: S311  a seed must give the same run again
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + plan.seconds
    name = "the beginning"
    # One machine, one clock: windows need no minute of overlap.
    with patch.object(window, "CLOCKS_DIFFER_BY", timedelta(0)):
        async with scene_set(rng, per_second=plan.per_second, members=plan.services) as scene:
            try:
                await _come_to_rest(scene)
                for fault in _in_turn(plan, rng, lambda: loop.time() < ends_at):
                    name = fault.name
                    await _strike(scene, fault, rows[name])
                    tell(f"{name}: held; {max(0, ends_at - loop.time()):.0f} s left")
            except (BrokenPromise, AssertionError, TimeoutError) as broken:
                return Verdict(list(rows.values()), (name, str(broken) or "it took too long"))
    return Verdict(list(rows.values()))


def _in_turn(plan: Plan, rng: Random, is_time_left: Callable[[], bool]) -> Iterator[Fault]:
    """All faults in another order each time, until one of the bounds is met."""
    for _ in count() if plan.rounds is None else range(plan.rounds):
        for fault in rng.sample(plan.faults, len(plan.faults)):
            if not is_time_left():
                return
            yield fault


async def _strike(scene: Scene, fault: Fault, row: Row) -> None:
    ((since,),) = await scene.world.ask("SELECT clock_timestamp()")
    scene.load.forget()
    scene.load.start()
    await scene.world.until(scene.load.is_flowing, "the load flows")
    async with asyncio.timeout(STRIKE_SECONDS):
        await fault.strike(scene)
    recovery = await _come_to_rest(scene)
    report = await verify.verify(scene.world.settings, since=since)
    lost = await _lost(scene) + report.outcomes.get("none", 0)
    row.add(
        records=report.records,
        outcomes=report.outcomes,
        repeats=report.repeated,
        lost=lost,
        recovery=recovery,
    )
    _judge(scene, report, lost)


async def _come_to_rest(scene: Scene) -> float:
    """Wait until nothing is left to do; the seconds until all was handled and published."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    await scene.services.until_complete()
    await scene.load.pause()
    await scene.world.until_handled()
    await scene.world.until(partial(_is_empty, scene, "outbox"), "everything published")
    seconds = loop.time() - began_at
    await scene.world.until_at_rest()
    return seconds


async def _is_empty(scene: Scene, table: str) -> bool:
    return await scene.world.count(table) == 0


async def _lost(scene: Scene) -> int:
    """How many requests and changes that the broker has taken are not on record."""
    accepted = sorted(scene.load.accepted)
    ((found,),) = await scene.world.ask(
        """
        SELECT count(*) FROM unnest($1::text[], $2::uuid[]) AS sent (tenant_id, request_key)
          JOIN requests USING (tenant_id, request_key)
        """,
        [tenant for tenant, _ in accepted],
        [key for _, key in accepted],
    )
    return len(accepted) - int(found)


def _judge(scene: Scene, report: Report, lost: int) -> None:
    """Raise BrokenPromise, with the first sentences that say why."""
    sentences = [*scene.services.accidents, *report.violations]
    if lost:
        sentences.append(f"{lost} requests that the broker has taken are not on record.")
    if report.records < scene.load.acknowledged:
        sentences.append(
            f"The broker has taken {scene.load.acknowledged} records, and {report.records} came in."
        )
    if not report.is_at_rest:
        sentences.append(f"Not at rest: {dict(report.waiting)}.")
    if sentences:
        more = len(sentences) - SENTENCES_SHOWN
        shown = sentences[:SENTENCES_SHOWN] + ([f"And {more} more."] if more > 0 else [])
        raise BrokenPromise(" ".join(shown))
