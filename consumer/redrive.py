"""Dead letters handed to the handlers again, each in the transaction that locks its row.

Nothing is published again: a letter's bytes, headers and coordinates go through the same function
as any batch, under the rules of today's settings, and its row is given its new state in the same
commit. Of two who redrive one letter, one does: the other finds it decided.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from consumer.batch import broken_by
from consumer.bisect import Bisector
from consumer.handover import Handover
from consumer.late_changes import DeadChange, Deed, late_changes
from consumer.letter_edit import NEW_IDENTITY, NotEditable, edited, sets_identity
from consumer.letter_order import SKIPPED, UTC_STAMP, Order, Told, letter_of, was_decided
from consumer.letter_turns import Chosen, Pace, portions, turns
from consumer.subscription import Subscription
from consumer.transaction import RollBack
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from db import letter_steps
from db.letter_steps import Letter
from db.ticket_changes import LaterChange
from handlers.again import FAILED_AGAIN, UNDECIDED, Fate, decide_again
from handlers.batch import Entry, Handled, Setting
from handlers.entries import read
from handlers.outcomes import Change, Changed
from handlers.record import StoredRecord, headers_of

REDRIVEN: Final = "redriven"
ROLLED_BACK: Final = "40"
"""The SQLSTATE class of what PostgreSQL undid to let another transaction through."""

MOST_ATTEMPTS: Final = 10


class Ready(NamedTuple):
    """A letter that can be handed over. edited: its value where that is not its own."""

    letter: Letter
    failed_at: datetime
    entry: Entry
    edited: bytes | None


class Redrive:
    """One run of redriving. told: what became of every letter so far, once that is committed."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        subscription: Subscription,
        setting: Setting,
        order: Order,
        *,
        max_record_bytes: int,
        pace: Pace | None = None,
    ) -> None:
        self._pool = pool
        self._writes = Writes(pool, Wakeups(), Handover())  # the relay of another process is told
        self._subscription = subscription
        self._setting = setting
        self._order = order
        self._max_bytes = max_record_bytes
        self._pace = pace or Pace(order.rate)
        self._ours: set[Deed] = set()
        self._bisector: Bisector[Letter, list[Told]] = Bisector(
            self._write, self._bury, lambda: None, lambda _: True
        )
        self.told: dict[Letter, Told] = {}

    async def run(self, chosen: Chosen) -> AsyncIterator[list[Told]]:
        """Redrive the letters chosen, portion by portion; what became of each portion's."""
        async for found in turns(self._pool, chosen):
            for portion in portions(found, self._pace.most, self._subscription.is_party):
                await self._pace.take(len(portion))
                await self._settle(portion)
                yield [self.told[letter] for letter in portion]

    async def _settle(self, portion: Sequence[Letter]) -> None:
        """Settle a portion; what was undone for another transaction's sake is done again."""
        for attempt in range(1, MOST_ATTEMPTS + 1):
            left = [letter for letter in portion if letter not in self.told]
            try:
                await self._bisector.settle(left)
            except asyncpg.PostgresError as error:
                if (error.sqlstate or "")[:2] != ROLLED_BACK or attempt == MOST_ATTEMPTS:
                    raise
            else:
                return

    async def _write(self, letters: Sequence[Letter], someone_was_first: bool) -> list[Told]:  # noqa: FBT001
        setting = replace(self._setting, check_numbers=someone_was_first)
        return await self._decide(letters, setting, lambda entry: entry)

    async def _bury(self, letter: Letter, error: BaseException) -> list[Told]:
        """What fails alone has failed again. That so many do is no sign: they are dead letters."""
        self._bisector.lonely = 0
        return await self._decide([letter], self._setting, lambda entry: broken_by(entry, error))

    async def _decide(
        self, letters: Sequence[Letter], setting: Setting, judge: Callable[[Entry], Entry]
    ) -> list[Told]:
        told: list[Told] = []

        async def work(connection: asyncpg.Connection) -> Handled:
            ready, skipped = await self._look(connection, letters)
            done = await decide_again(
                connection,
                [judge(each.entry) for each in ready],
                [each.letter for each in ready],
                setting,
                actor=self._order.actor,
                state=REDRIVEN,
                edited={each.letter: each.edited for each in ready},
            )
            told.extend([*skipped, *map(_told, done.fates)])
            if self._order.dry_run:
                raise RollBack
            return done.handled

        with suppress(RollBack):
            self._remember(await self._writes.write(work))
        self.told |= {each.letter: each for each in told}
        return told

    async def _look(
        self, connection: asyncpg.Connection, letters: Sequence[Letter]
    ) -> tuple[list[Ready], list[Told]]:
        """Lock the letters and see which of them can be handed over, in the order given."""
        rows = {letter_of(row): row for row in await letter_steps.lock(connection, letters)}
        decided = [letter for letter, row in rows.items() if row["state"] not in UNDECIDED]
        last = await letter_steps.last_taken(connection, decided)
        ready: list[Ready] = []
        skipped: list[Told] = []
        for letter in letters:
            row = rows.get(letter)
            if row is None:
                skipped.append(Told(letter, SKIPPED, "it is not there any more"))
            elif row["state"] not in UNDECIDED:
                skipped.append(Told(letter, SKIPPED, was_decided(row, last.get(letter))))
            else:
                match self._prepared(letter, row):
                    case Ready() as each:
                        ready.append(each)
                    case Told() as told:
                        skipped.append(told)
        changes = [
            DeadChange(each.letter, each.failed_at, each.entry)
            for each in ready
            if isinstance(each.entry, Change) and not self._order.force
        ]
        late = await late_changes(connection, changes, self._ours)
        skipped += [_too_late(letter, later) for letter, later in late.items()]
        return [each for each in ready if each.letter not in late], skipped

    def _prepared(self, letter: Letter, row: asyncpg.Record) -> Ready | Told:
        """The letter as an entry of a batch, with its edit, under its topic's role of today."""
        role = self._subscription.role_of(letter[0])
        if role is None:
            return Told(letter, SKIPPED, f"{letter[0]} is no topic that we read (any more)")
        headers = headers_of(row["header_names"], row["header_values"])
        value, edit = row["value"], self._order.edit
        if not edit.is_nothing:
            try:
                value = edited(row["value"], headers, edit)
            except NotEditable as error:
                return Told(letter, SKIPPED, f"it can't be edited: {error}")
            names = sets_identity(row["value"], value, headers)
            if names and not self._order.new_identity:
                return Told(letter, SKIPPED, NEW_IDENTITY.format(names=" and ".join(names)))
        record = StoredRecord(*letter, row["key"], value, headers)
        entry = read(record, role, self._max_bytes)
        return Ready(letter, row["failed_at"], entry, None if edit.is_nothing else value)

    def _remember(self, handled: Handled) -> None:
        for decision in handled.decisions:
            if isinstance(decision, Changed):
                ticket = decision.ticket
                for effect in decision.effects:
                    self._ours.add((ticket.tenant_id, ticket.id, effect.sequence))


def _told(fate: Fate) -> Told:
    outcome = FAILED_AGAIN if fate.has_failed else str(fate.outcome)
    return Told(fate.letter, outcome, fate.reason, fate.code)


def _too_late(letter: Letter, later: Sequence[LaterChange]) -> Told:
    last = later[-1]
    who = last.actor_type if last.actor_id is None else f"{last.actor_type} {last.actor_id}"
    more = f", and {len(later) - 1} before it" if len(later) > 1 else ""
    return Told(
        letter,
        SKIPPED,
        f"its ticket has moved on since: {last.ce_type} by {who} at"
        f" {last.occurred_at:{UTC_STAMP}}{more}; --force redrives it all the same",
        later=later,
    )
