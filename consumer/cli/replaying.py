"""`ticketing replay` at work: what it will touch, the replay, and what became of the records."""

import asyncio
from typing import Final
from uuid import UUID

import typer
from aiokafka import TopicPartition

from consumer import clients
from consumer.cli.asking import confirm
from consumer.cli.failures import (
    FAILED,
    WRONG_USE,
    CommandFailed,
    kafka_explained,
    reading,
)
from consumer.cli.replay_page import print_ending, touched
from consumer.cli.replay_run import Errand, Manner, ReplayRun
from consumer.replay_filter import ReplayFilter
from consumer.replay_plan import NotReplayable, Plan, Stretch, plan
from consumer.scan import started
from consumer.settings import Settings
from db import replays

INTERRUPTED: Final = 130


def set_out(
    settings: Settings,
    wanted: ReplayFilter,
    manner: Manner,
    *,
    retry_rejected: bool,
    include_unread: bool,
) -> None:
    """Look, ask, replay, tell."""

    async def look() -> Plan:
        async with (
            started(clients.consumer(settings)) as kafka,
            started(clients.admin(settings)) as admin,
        ):
            return await plan(kafka, admin, settings, wanted, includes_unread=include_unread)

    with kafka_explained(settings):
        try:
            found = asyncio.run(look())
        except NotReplayable as error:
            raise CommandFailed(str(error)) from None
    _do(settings, Errand(wanted, found, retry_rejected), manner)


def carry_on(settings: Settings, text: str, manner: Manner) -> None:
    """Go on with a replay that was stopped."""
    try:
        replay_id = str(UUID(text.strip()))
    except ValueError:
        raise CommandFailed(
            f"--resume: {text!r} is no replay; give the id that it told when it stopped.", WRONG_USE
        ) from None

    async def look() -> Errand:
        async with reading(settings) as connection:
            kept = await replays.find(connection, replay_id)
            if kept is None:
                raise CommandFailed(f"There is no replay {replay_id}.")
            if kept.finished_at is not None:
                raise CommandFailed(f"Replay {replay_id} is finished: begin a new one.")
            positions = await replays.positions(connection, replay_id)
        stretches = [
            Stretch(TopicPartition(each.topic, each.partition), each.next_offset, each.end_offset)
            for each in positions
        ]
        wanted = ReplayFilter.from_json(kept.filter)
        return Errand(wanted, Plan(stretches), kept.filter["retry_rejected"], replay_id)

    _do(settings, asyncio.run(look()), manner)


def _do(settings: Settings, errand: Errand, manner: Manner) -> None:
    confirm(
        touched(
            settings,
            errand.wanted,
            errand.plan,
            retry_rejected=errand.retry_rejected,
            replay_id=errand.replay_id,
            rate=manner.rate,
        ),
        "Replay them?",
        yes=manner.yes or manner.dry_run or not errand.plan.offsets,
    )
    try:
        ending = asyncio.run(ReplayRun(settings, errand, manner).whole())
    except NotReplayable as error:
        raise CommandFailed(str(error)) from None
    print_ending(ending, as_json=manner.as_json)
    if ending.stopped_by is not None:
        raise typer.Exit(INTERRUPTED if ending.stopped_by == "SIGINT" else FAILED)
    if ending.has_failures:
        raise typer.Exit(FAILED)
