"""Customers and partners: what a change leaves behind. The newer word counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from db import parties, tables
from db.bulk import NULL, Row
from handlers.record import Record
from schemas.vocabulary import Outcome

TABLES = {"customer": tables.customers, "partner": tables.partners}


@dataclass(frozen=True, slots=True)
class PartyState:
    """A customer or partner, as a row of its table."""

    id: str
    tenant_id: str
    external_id: int | None
    name: str | None
    status: str
    tier: str | None
    updated_at: datetime


class PartyChange(NamedTuple):
    """One valid record of a party topic. state is None for a tombstone. party: the table's key.

    tenant_id: the tenant that it speaks for; None where a tombstone's topic is bound to none.
    """

    record: Record | None
    party: str
    id: str
    state: PartyState | None
    changed_at: datetime
    tenant_id: str | None


class Moved(NamedTuple):
    """A change by one tenant of a party that belongs to another, its owner: refused."""

    change: PartyChange
    owner: str


class Register:
    """The parties that a batch touches, before and after. Folded in memory, one change a time."""

    def __init__(self, stored: Iterable[PartyState]) -> None:
        self._stored = {state.id: state for state in stored}
        self._states = dict(self._stored)
        self._owners = {
            (state.tenant_id, state.external_id): state.id
            for state in self._stored.values()
            if state.external_id is not None
        }
        self._dirty: set[str] = set()

    def apply(self, change: PartyChange) -> Outcome | Moved:
        """Take in one change: changed, unchanged (it is older than what is stored), or Moved."""
        before = self._states.get(change.id)
        state = change.state
        if before is not None:
            if change.tenant_id not in {None, before.tenant_id}:
                return Moved(change, before.tenant_id)
            if change.changed_at < before.updated_at:
                return Outcome.UNCHANGED
        if state is None:
            if before is None:
                return Outcome.UNCHANGED
            state = replace(before, status="deleted", updated_at=change.changed_at)
        state = self._claim_external_id(state)
        if state == before:
            return Outcome.UNCHANGED
        self._put(state)
        return Outcome.CHANGED

    def _claim_external_id(self, state: PartyState) -> PartyState:
        """The newer `updated_at` takes an external id over; the older one goes without."""
        if state.external_id is None:
            return state
        owner_id = self._owners.get((state.tenant_id, state.external_id), state.id)
        if owner_id == state.id:
            return state
        owner = self._states[owner_id]
        if owner.updated_at > state.updated_at:
            return replace(state, external_id=None)
        self._put(replace(owner, external_id=None))
        return state

    def _put(self, state: PartyState) -> None:
        before = self._states.get(state.id)
        if before is not None and before.external_id is not None:
            self._owners.pop((before.tenant_id, before.external_id), None)
        if state.external_id is not None:
            self._owners[state.tenant_id, state.external_id] = state.id
        self._states[state.id] = state
        self._dirty.add(state.id)

    def changed(self) -> dict[str, PartyState]:
        """Who is not stored as it is now, by id."""
        return {
            party_id: self._states[party_id]
            for party_id in sorted(self._dirty)
            if self._states[party_id] != self._stored.get(party_id)
        }

    def replaced(self) -> list[Row]:
        """The stored rows that changed, in key order."""
        return self._rows(self._dirty & set(self._stored))

    def added(self) -> list[Row]:
        """The rows that were not stored, in key order."""
        return self._rows(self._dirty - set(self._stored))

    def _rows(self, ids: Iterable[str]) -> list[Row]:
        return [_row(self._states[party_id]) for party_id in sorted(ids)]

    def released(self) -> list[str]:
        """The ids that give up the external id they are stored with."""
        return [
            party_id
            for party_id in sorted(self._dirty & self._stored.keys())
            if self._stored[party_id].external_id not in (None, self._states[party_id].external_id)
        ]


async def apply_changes(
    connection: asyncpg.Connection, changes: Sequence[PartyChange]
) -> list[Outcome | Moved]:
    """Apply the changes in their order, in the caller's transaction; what became of each.

    Raises asyncpg's UniqueViolationError where somebody else does the same: then do it again.
    """
    outcomes: dict[int, Outcome | Moved] = {}
    for party, table in TABLES.items():
        numbered = [(n, change) for n, change in enumerate(changes) if change.party == party]
        if not numbered:
            continue
        register = await _register(connection, party, [change for _, change in numbered])
        outcomes |= {number: register.apply(change) for number, change in numbered}
        await parties.save(
            connection,
            table,
            released=register.released(),
            replaced=register.replaced(),
            added=register.added(),
        )
    return [outcomes[number] for number in range(len(changes))]


async def _register(
    connection: asyncpg.Connection, party: str, changes: Iterable[PartyChange]
) -> Register:
    ids, external_ids = set(), set()
    for change in changes:
        ids.add(change.id)
        if change.state is not None and change.state.external_id is not None:
            external_ids.add((change.state.tenant_id, change.state.external_id))
    found = await parties.stored(connection, TABLES[party], sorted(ids), sorted(external_ids))
    return Register(_state(row) for row in found)


def _state(row: Mapping[str, Any]) -> PartyState:
    return PartyState(**{name: row[name] for name in parties.PARTY_COLUMNS})


def _row(state: PartyState) -> Row:
    return tuple(
        NULL if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
        for value in (getattr(state, name) for name in parties.PARTY_COLUMNS)
    )
