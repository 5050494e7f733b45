"""Dead letters in the portions that one transaction takes, in the order in which they failed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import asyncpg

from consumer import clock
from consumer.transaction import transaction
from db.letter_search import Filter, Turn, next_turns
from db.letter_steps import Letter

LETTERS_LOOKED_AT: Final = 2_000
PORTION_LETTERS: Final = 200
PORTION_BYTES: Final = 16 * 1024 * 1024
"""What the values of one transaction may take in memory, unless a single one takes more."""

PORTIONS_A_SECOND: Final = 10
"""Where a rate is set: small portions, so that letters don't come in bursts."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Letters by name, or by a filter of which `most` are taken at most."""

    named: Sequence[Turn] = ()
    wanted: Filter | None = None
    most: int | None = None


async def turns(pool: asyncpg.Pool, chosen: Chosen) -> AsyncIterator[list[Turn]]:
    """The letters chosen, some thousand at a time; none that comes in after the filter's end."""
    if chosen.wanted is None:
        yield list(chosen.named)
        return
    last: Turn | None = None
    left = chosen.most
    while left is None or left > 0:
        limit = LETTERS_LOOKED_AT if left is None else min(left, LETTERS_LOOKED_AT)
        async with transaction(pool) as connection:
            found = await next_turns(connection, chosen.wanted, last, limit)
        if not found:
            return
        yield found
        last = found[-1]
        left = None if left is None else left - len(found)


def portions(
    found: Sequence[Turn], most: int, is_apart: Callable[[str], bool] = lambda _: False
) -> list[list[Letter]]:
    """Cut into what one transaction takes. is_apart: topics that share no portion with others."""
    cut: list[list[Letter]] = []
    size = 0
    for turn in found:
        letter = turn.letter
        portion = cut[-1] if cut else []
        if (
            not portion
            or len(portion) >= most
            or size + turn.size > PORTION_BYTES
            or is_apart(portion[-1][0]) != is_apart(letter[0])
        ):
            cut.append([])
            size = 0
        cut[-1].append(letter)
        size += turn.size
    return cut


def until(wanted: Filter, now: datetime) -> Filter:
    """The filter, ending now: whatever fails from now on was not asked about."""
    return replace(wanted, until=wanted.until or now)


class Pace:
    """No more letters a second than this, on the whole; as many as there are, without a rate."""

    def __init__(
        self,
        rate: float | None,
        *,
        seconds: Callable[[], float] = clock.seconds,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._seconds = seconds
        self._sleep = sleep
        self._free_at = seconds()

    @property
    def most(self) -> int:
        """How many letters a portion may have."""
        if self._rate is None:
            return PORTION_LETTERS
        return max(1, min(PORTION_LETTERS, int(self._rate / PORTIONS_A_SECOND)))

    async def take(self, letters: int) -> None:
        """Wait until so many more may be dealt with."""
        if self._rate is None:
            return
        pause = self._free_at - self._seconds()
        if pause > 0:
            await self._sleep(pause)
        self._free_at = max(self._free_at, self._seconds()) + letters / self._rate
