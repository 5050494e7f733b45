"""The life of a batch: announced with its commit, told after it, and again when it must be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from consumer import batch as batches
from consumer.batch import Batches, broken_by
from consumer.dependencies import Dependencies
from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.telling import Telling
from consumer.writes import Writes
from db.outbox import CHANNEL
from handlers.batch import Broken, Entry, Handled, Setting
from handlers.outcomes import Rules
from schemas.vocabulary import Outcome
from tests.records import NOON, asked, broken, customer_change
from tests.scenarios.messages import NORTH

NOTIFICATION = f"NOTIFY {CHANNEL}"
SERVER_SAYS = "invalid byte sequence for encoding UTF8: what the customer wrote"


class World:
    """A database, a relay and an operator, each of whom writes down what it sees."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.errors: list[Exception] = []
        self.settings: list[Setting] = []
        self.outbox_id: int | None = 7
        self.parties: list[Any] = []

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["World"]:
        yield self

    def is_closed(self) -> bool:
        return False

    async def execute(self, statement: str) -> str:
        word = statement.partition(";")[0].replace(NOTIFICATION, "announced")
        self.diary.append(word)
        return word

    def look(self) -> None:
        self.diary.append("woken")

    async def handle(self, _: object, entries: Sequence[Entry], setting: Setting) -> Handled:
        self.settings.append(setting)
        self.diary.append(f"handled {len(entries)}")
        if self.errors:
            raise self.errors.pop(0)
        dead = [entry for entry in entries if isinstance(entry, Broken)]
        return Handled(NOON, [], self.parties, dead, [], self.outbox_id)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(batches, "handle", made.handle)
    return made


Settle = Callable[[Sequence[Entry]], Any]


@pytest.fixture
def settle(world: World) -> Settle:
    metrics = Metrics()
    dependencies = Dependencies(metrics, sleep=lambda _: asyncio.sleep(0))

    def write_down_parties() -> None:
        world.diary.append("parties")

    here: Any = world
    return Batches(
        dependencies=dependencies,
        telling=Telling(metrics),
        writes=Writes(here, here, Handover()),
        setting=lambda: Setting(Rules(), "group"),
        on_parties=write_down_parties,
    ).settle


async def test_a_write_is_announced_in_its_transaction_and_the_relay_woken_after_it(
    world: World, settle: Settle
) -> None:
    await settle([asked()])
    assert world.diary == ["BEGIN", "handled 1", "announced", "COMMIT", "woken"]


async def test_a_batch_with_nothing_to_publish_wakes_nobody(world: World, settle: Settle) -> None:
    world.outbox_id = None
    await settle([asked()])
    assert world.diary == ["BEGIN", "handled 1", "COMMIT"]


async def test_who_waits_for_customers_hears_of_them_after_the_commit(
    world: World, settle: Settle
) -> None:
    world.outbox_id = None
    change = customer_change()
    world.parties = [(change, Outcome.CHANGED)]
    await settle([change])
    assert world.diary == ["BEGIN", "handled 1", "COMMIT", "parties"]


async def test_a_failed_batch_is_rolled_back_and_done_again(world: World, settle: Settle) -> None:
    world.errors = [asyncpg.ConnectionDoesNotExistError("gone"), OSError("refused")]
    await settle([asked()])
    assert world.diary == [
        *["BEGIN", "handled 1", "ROLLBACK"] * 2,
        *["BEGIN", "handled 1", "announced", "COMMIT", "woken"],
    ]


async def test_numbers_are_looked_up_where_someone_was_first(world: World, settle: Settle) -> None:
    first = asyncpg.PostgresError.new({"C": "23505", "M": "duplicate key", "t": "tickets"})
    world.errors = [first]
    await settle([asked()])
    assert [setting.check_numbers for setting in world.settings] == [False, True]


async def test_a_record_that_fails_alone_is_buried(world: World, settle: Settle) -> None:
    bad = asyncpg.CharacterNotInRepertoireError(SERVER_SAYS)
    world.errors = [bad, bad]
    await settle([asked(1), asked(2, 1)])
    assert [word for word in world.diary if word.startswith("handled")] == [
        *("handled 2", "handled 1", "handled 1", "handled 1")
    ]


def test_a_dead_letter_does_not_quote_what_the_database_quoted() -> None:
    found = broken_by(asked(), asyncpg.CharacterNotInRepertoireError(SERVER_SAYS))
    assert found.error_class == "CharacterNotInRepertoireError"
    assert found.message == (
        "value: can't be handled (SQLSTATE 22021); expected a request that the database can hold"
    )
    assert found.tenant_id == NORTH


def test_an_error_of_ours_is_named() -> None:
    found = broken_by(customer_change(), ZeroDivisionError("division by zero"))
    assert found.message.startswith("value: can't be handled (ZeroDivisionError)")
    assert found.tenant_id == NORTH


def test_of_a_dead_letter_that_cannot_be_described_the_bytes_are_kept() -> None:
    letter = broken(5)._replace(request_id="x" * 9_000)
    found = broken_by(letter, asyncpg.ProgramLimitExceededError("index row size"))
    assert found == Broken(letter.record, "NotJson", "NotJson: can't be described")
