"""Dead letters decided again: their rows locked, their records handed over, their states written.

Redrive and replay come through here. A letter's identity comes from its row, never from headers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import asyncpg

from db import letter_steps
from db.letter_steps import Step
from handlers.batch import Again, Entry, Handled, Setting, handle
from handlers.outcomes import Duplicate, Rejected, outcome_of
from handlers.parties import Moved
from handlers.record import Coordinates, coordinates
from schemas.vocabulary import Outcome

UNDECIDED: Final = frozenset({"dead", "failed_again"})
"""The states of letters that wait for somebody to decide about them."""

FAILED_AGAIN: Final = "failed_again"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one letter. reason: why it failed once more, or was refused (code)."""

    letter: Coordinates
    outcome: Outcome
    reason: str | None = None
    code: str | None = None

    @property
    def has_failed(self) -> bool:
        return self.outcome is Outcome.DEAD_LETTERED

    @property
    def is_refused_again(self) -> bool:
        """Whether it was rejected before, and would be once more: nothing is told of that."""
        return self.outcome is Outcome.DUPLICATE and self.reason is not None

    @property
    def is_resolved(self) -> bool:
        return not (self.has_failed or self.is_refused_again)


@dataclass(frozen=True, slots=True)
class DecidedAgain:
    """A batch with dead letters in it. fates: theirs alone, in key order."""

    handled: Handled
    fates: Sequence[Fate]


async def decide_again(
    connection: asyncpg.Connection,
    entries: Sequence[Entry],
    letters: Collection[Coordinates],
    setting: Setting,
    *,
    actor: str,
    state: str,
    retry_rejections: bool = False,
    keep_failures: bool = True,
    edited: Mapping[Coordinates, bytes | None] | None = None,
) -> DecidedAgain:
    """Decide a batch. letters: those of its records whose rows the caller has locked.

    state: of a letter that succeeds. keep_failures: whether one that fails once more is told so in
    its row; one that was rejected and is refused once more stays as it is. edited: the values that
    were handled in place of the records' own. Raises what `handle` raises; then nothing of it
    stands.
    """
    again = Again(frozenset(letters), retry_rejections)
    handled = await handle(connection, entries, replace(setting, again=again))
    found = fates(handled)
    told = [found[letter] for letter in sorted(letters) if letter in found]
    values = edited or {}
    steps = [
        Step(
            fate.letter,
            FAILED_AGAIN if fate.has_failed else state,
            None if fate.has_failed else fate.outcome,
            fate.reason,
            values.get(fate.letter),
        )
        for fate in told
        if fate.is_resolved or (keep_failures and fate.has_failed)
    ]
    await letter_steps.take(connection, steps, actor)
    return DecidedAgain(handled, told)


def fates(handled: Handled) -> dict[Coordinates, Fate]:
    """What became of each record of a batch."""
    found: dict[Coordinates, Fate] = {}
    for decision in handled.decisions:
        record = decision.request.record
        if record is None:
            continue
        refusal = decision.refused if isinstance(decision, Duplicate) else decision
        place, outcome = coordinates(record), outcome_of(decision)
        if isinstance(refusal, Rejected):
            found[place] = Fate(place, outcome, refusal.message, refusal.code)
        else:
            found[place] = Fate(place, outcome)
    for change, became in handled.parties:
        if change.record is not None and not isinstance(became, Moved):
            found[coordinates(change.record)] = Fate(coordinates(change.record), became)
    for broken in (*handled.dead, *handled.repeated):
        place = coordinates(broken.record)
        found[place] = Fate(place, Outcome.DEAD_LETTERED, broken.message)
    return found
