"""The checker run for an operator: the window read, progress shown, failures told in a sentence."""

import logging
from datetime import datetime
from typing import NamedTuple

import asyncpg
from aiokafka.errors import KafkaError

from consumer.audit import Report
from consumer.cli.failures import (
    WRONG_USE,
    CommandFailed,
    database_explained,
    kafka_explained,
    reading,
)
from consumer.cli.moments import UnusableTime, parse_time
from consumer.cli.progress_line import ProgressLine
from consumer.settings import Settings
from consumer.verify import verify


class Asked(NamedTuple):
    """The window, and when the question was put, by the database's clock."""

    now: datetime
    since: datetime | None
    until: datetime | None


async def look(settings: Settings, since: str | None, until: str | None) -> tuple[Asked, Report]:
    """Verify between these times, as an operator writes them."""
    async with reading(settings) as connection:
        now = await connection.fetchval("SELECT now()")
    asked = Asked(now, _time("--since", since, now), _time("--until", until, now))
    if asked.since is not None and (asked.until or now) <= asked.since:
        reason = "lies ahead" if asked.until is None else "is not before --until"
        raise CommandFailed(f"--since: {reason}; write an earlier time.", WRONG_USE)
    return asked, await _verified(settings, asked)


async def _verified(settings: Settings, asked: Asked) -> Report:
    """What aiokafka raises is of a class of its own; any other OSError is the database's.

    What aiokafka says besides is told in the sentence that we end with.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return await verify(settings, since=asked.since, until=asked.until, watch=ProgressLine)
    except KafkaError:
        with kafka_explained(settings):
            raise
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        with database_explained(settings):
            raise


def _time(option: str, text: str | None, now: datetime) -> datetime | None:
    try:
        return None if text is None else parse_time(text, now)
    except UnusableTime as error:
        raise CommandFailed(f"{option}: {error}", WRONG_USE) from None
