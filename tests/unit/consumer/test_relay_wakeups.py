"""What ends the relay's sleep."""

import asyncio

from consumer.wakeups import Wakeups


async def test_who_is_woken_hears_whether_to_look_into_the_outbox() -> None:
    wakeups = Wakeups()
    wakeups.wake()
    assert not wakeups.forget()
    wakeups.look()
    wakeups.wake()
    assert wakeups.forget()
    assert not wakeups.forget()


async def test_a_write_before_the_sleep_is_not_slept_over() -> None:
    wakeups = Wakeups()
    wakeups.forget()
    wakeups.wake()
    async with asyncio.timeout(30):
        await wakeups.wait(3_600)


async def test_a_sleep_ends_by_itself() -> None:
    await Wakeups().wait(0.0)
