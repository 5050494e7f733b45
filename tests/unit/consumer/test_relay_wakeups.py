"""Who is told of a write, and by which way."""

import asyncio
from typing import Any

from consumer.wakeups import Wakeups
from db import outbox


class Connection:
    """Keeps what it was given to execute."""

    def __init__(self) -> None:
        self.executed: list[str] = []

    async def execute(self, statement: str) -> None:
        self.executed.append(statement)


async def test_another_process_is_notified_only_while_no_relay_works_here() -> None:
    wakeups = Wakeups()
    connection: Any = Connection()
    await wakeups.announce(connection)
    assert connection.executed == [f"NOTIFY {outbox.CHANNEL}"]
    wakeups.relay_is_here = True
    await wakeups.announce(connection)
    assert len(connection.executed) == 1


async def test_a_write_before_the_sleep_is_not_slept_over() -> None:
    wakeups = Wakeups()
    wakeups.forget()
    wakeups.wake()
    async with asyncio.timeout(30):
        await wakeups.wait(3_600)


async def test_a_sleep_ends_by_itself() -> None:
    await Wakeups().wait(0.0)
