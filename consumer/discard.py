"""Dead letters that somebody decides to let be, with the reason: their rows say so from then on."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final

import asyncpg

from consumer.letter_order import SKIPPED, Told, letter_of, was_decided
from consumer.letter_turns import PORTION_LETTERS, Chosen, portions, turns
from consumer.transaction import RollBack, transaction
from db import letter_steps
from db.letter_steps import Letter, Step
from handlers.again import UNDECIDED

DISCARDED: Final = "discarded"


async def discard(
    pool: asyncpg.Pool, chosen: Chosen, *, reason: str, actor: str, dry_run: bool
) -> AsyncIterator[list[Told]]:
    """Discard those of the letters chosen that are undecided; what became of each portion's."""
    async for found in turns(pool, chosen):
        for portion in portions(found, PORTION_LETTERS):
            told: list[Told] = []
            with suppress(RollBack):
                async with transaction(pool) as connection:
                    told = await _discard(connection, portion, reason, actor)
                    if dry_run:
                        raise RollBack
            yield told


async def _discard(
    connection: asyncpg.Connection, letters: Sequence[Letter], reason: str, actor: str
) -> list[Told]:
    rows = {letter_of(row): row for row in await letter_steps.lock(connection, letters)}
    free = [letter for letter, row in rows.items() if row["state"] in UNDECIDED]
    last = await letter_steps.last_taken(connection, [each for each in rows if each not in free])
    await letter_steps.take(
        connection, [Step(letter, DISCARDED, None, reason) for letter in free], actor
    )
    told = []
    for letter in letters:
        row = rows.get(letter)
        if row is None:
            told.append(Told(letter, SKIPPED, "it is not there any more"))
        elif row["state"] in UNDECIDED:
            told.append(Told(letter, DISCARDED))
        else:
            told.append(Told(letter, SKIPPED, was_decided(row, last.get(letter))))
    return told
