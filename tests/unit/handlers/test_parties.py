"""Customers and partners: the newer word counts, and an external id has one owner."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from db.parties import PARTY_COLUMNS
from handlers.parties import Moved, PartyChange, PartyState, Register
from schemas.vocabulary import Outcome
from tests.records import some_id

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def at(minute: int) -> datetime:
    return EPOCH + timedelta(minutes=minute)


def state(
    name: str = "a", minute: int = 1, external_id: int | None = None, **changes: str | None
) -> PartyState:
    values = {"tenant_id": "north", "name": name, "status": "active", "tier": None} | changes
    return PartyState(
        id=some_id(name),
        external_id=external_id,
        updated_at=at(minute),
        **values,  # type: ignore[arg-type] # texts, by name
    )


def change(new: PartyState) -> PartyChange:
    return PartyChange(None, "customer", new.id, new, new.updated_at, new.tenant_id)


def end(name: str = "a", minute: int = 2, tenant: str | None = None) -> PartyChange:
    return PartyChange(None, "customer", some_id(name), None, at(minute), tenant)


def names(rows: list[tuple[str, ...]]) -> dict[str, tuple[str, str]]:
    """External id and status of each row, by name."""
    columns = [dict(zip(PARTY_COLUMNS, row, strict=True)) for row in rows]
    return {each["name"]: (each["external_id"], each["status"]) for each in columns}


def test_a_new_party_is_added() -> None:
    register = Register([])
    assert register.apply(change(state(external_id=7))) is Outcome.CHANGED
    assert names(register.added()) == {"a": ("7", "active")}
    assert (register.replaced(), register.released()) == ([], [])


def test_an_older_word_is_ignored() -> None:
    register = Register([state(minute=5)])
    assert register.apply(change(state(minute=4, status="suspended"))) is Outcome.UNCHANGED
    assert register.apply(end(minute=4)) is Outcome.UNCHANGED
    assert register.replaced() == []


def test_an_equally_old_word_is_applied() -> None:
    register = Register([state(minute=5)])
    assert register.apply(change(state(minute=5, status="suspended"))) is Outcome.CHANGED
    assert names(register.replaced()) == {"a": ("\v", "suspended")}


def test_the_same_word_again_writes_nothing() -> None:
    register = Register([state(minute=5, external_id=7)])
    assert register.apply(change(state(minute=5, external_id=7))) is Outcome.UNCHANGED
    assert (register.added(), register.replaced(), register.released()) == ([], [], [])


def test_a_tombstone_sets_deleted_and_keeps_the_rest() -> None:
    register = Register([state(minute=1, external_id=7)])
    assert register.apply(end(minute=2)) is Outcome.CHANGED
    assert names(register.replaced()) == {"a": ("7", "deleted")}
    assert register.apply(end(minute=2)) is Outcome.UNCHANGED
    assert register.apply(change(state(minute=3))) is Outcome.CHANGED


def test_a_tombstone_of_nobody_changes_nothing() -> None:
    register = Register([])
    assert register.apply(end()) is Outcome.UNCHANGED
    assert register.added() == []


def test_an_id_stays_with_its_tenant() -> None:
    register = Register([state()])
    move = change(state(minute=9, tenant_id="south"))
    assert register.apply(move) == Moved(move, "north")
    assert register.replaced() == []


def test_a_bound_topic_ends_no_party_of_another_tenant() -> None:
    register = Register([state()])
    foreign = end(minute=9, tenant="south")
    assert register.apply(foreign) == Moved(foreign, "north")
    assert register.apply(end(minute=9, tenant="north")) is Outcome.CHANGED


def test_the_newer_word_takes_an_external_id_over() -> None:
    register = Register([state("a", 1, 7)])
    assert register.apply(change(state("b", 2, 7))) is Outcome.CHANGED
    assert names(register.replaced()) == {"a": ("\v", "active")}
    assert names(register.added()) == {"b": ("7", "active")}
    assert register.released() == [some_id("a")]


def test_the_older_word_goes_without_the_external_id() -> None:
    register = Register([state("a", 5, 7)])
    assert register.apply(change(state("b", 2, 7))) is Outcome.CHANGED
    assert names(register.added()) == {"b": ("\v", "active")}
    assert (register.replaced(), register.released()) == ([], [])


def test_two_parties_swap_their_external_ids_in_one_batch() -> None:
    register = Register([state("a", 1, 7), state("b", 1, 8)])
    for new in (state("a", 2, 8), state("b", 2, 7)):
        register.apply(change(new))
    assert names(register.replaced()) == {"a": ("8", "active"), "b": ("7", "active")}
    assert register.released() == sorted([some_id("a"), some_id("b")])


def test_the_same_number_in_another_tenant_is_another_number() -> None:
    register = Register([state("a", 1, 7)])
    register.apply(change(state("b", 2, 7, tenant_id="south")))
    assert names(register.added()) == {"b": ("7", "active")}
    assert register.replaced() == []


class Word(NamedTuple):
    """One record of the topic. external_id 0: none; 9: the record is a tombstone."""

    name: str
    tenant: str
    minute: int
    external_id: int


WORDS = st.builds(
    Word,
    st.sampled_from("abcd"),
    st.sampled_from(["north", "north", "south"]),
    st.integers(1, 4),
    st.sampled_from([0, 1, 2, 3, 9]),
)


@dataclass
class Plain:
    """The rules again, one record at a time over a list: slow, and plain to see."""

    rows: list[PartyState] = field(default_factory=list)

    def hear(self, word: Word) -> None:
        own = [row for row in self.rows if row.id == some_id(word.name)]
        if word.external_id == 9:
            if own and own[0].updated_at <= at(word.minute):
                self._set(state_of(own[0], word.minute, status="deleted"))
            return
        if own and (own[0].tenant_id != word.tenant or own[0].updated_at > at(word.minute)):
            return
        number: int | None = word.external_id or None
        for row in self.rows:
            is_other = row.id != some_id(word.name) and row.tenant_id == word.tenant
            if number is not None and is_other and row.external_id == number:
                if row.updated_at > at(word.minute):
                    number = None
                else:
                    self._set(without_number(row))
        self._set(state(word.name, word.minute, number, tenant_id=word.tenant))

    def _set(self, new: PartyState) -> None:
        self.rows = [row for row in self.rows if row.id != new.id] + [new]


def state_of(row: PartyState, minute: int, status: str) -> PartyState:
    return PartyState(
        row.id, row.tenant_id, row.external_id, row.name, status, row.tier, at(minute)
    )


def without_number(row: PartyState) -> PartyState:
    return PartyState(row.id, row.tenant_id, None, row.name, row.status, row.tier, row.updated_at)


def as_change(word: Word) -> PartyChange:
    if word.external_id == 9:
        return end(word.name, word.minute)
    return change(state(word.name, word.minute, word.external_id or None, tenant_id=word.tenant))


@dataclass
class TableOfParties:
    """As the database does it: rows by key, and a unique (tenant, external id) at every moment."""

    rows: dict[str, PartyState] = field(default_factory=dict)

    def take_in(self, batch: list[Word]) -> None:
        changes = [as_change(word) for word in batch]
        touched = {each.id for each in changes}
        numbers = {(each.state.tenant_id, each.state.external_id) for each in changes if each.state}
        stored = [
            row
            for row in self.rows.values()
            if row.id in touched or (row.tenant_id, row.external_id) in numbers
        ]
        register = Register(stored)
        for each in changes:
            register.apply(each)
        for party_id in register.released():
            self._write(without_number(self.rows[party_id]))
        for row in register.replaced():
            assert row[0] in self.rows
            self._write(read_back(row))
        for row in register.added():
            assert row[0] not in self.rows
            self._write(read_back(row))

    def _write(self, new: PartyState) -> None:
        self.rows[new.id] = new
        numbers = [
            (row.tenant_id, row.external_id)
            for row in self.rows.values()
            if row.external_id is not None
        ]
        assert len(numbers) == len(set(numbers))


def read_back(row: tuple[str, ...]) -> PartyState:
    party_id, tenant_id, number, name, status, tier, updated_at = (
        None if value == "\v" else value for value in row
    )
    assert party_id is not None
    assert tenant_id is not None
    assert status is not None
    assert updated_at is not None
    external_id = None if number is None else int(number)
    moment = datetime.fromisoformat(updated_at)
    return PartyState(party_id, tenant_id, external_id, name, status, tier, moment)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=6), max_size=5))
def test_batches_end_as_the_plain_rules_do(batches: list[list[Word]]) -> None:
    plain, table = Plain(), TableOfParties()
    for batch in batches:
        for word in batch:
            plain.hear(word)
        table.take_in(batch)
        assert table.rows == {row.id: row for row in plain.rows}
