"""What an audit looks at: records that came in, rows, records that went out, as plain values."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from handlers.identity import fact_id

Identity = tuple[str, str]
"""Tenant and request key."""

Headers = Sequence[tuple[str, bytes | None]]


class Place(NamedTuple):
    """Which record. timestamp: milliseconds since 1970; it tells a re-created topic's apart."""

    topic: str
    partition: int
    offset: int
    timestamp: int

    @property
    def record(self) -> tuple[str, int, int]:
        """Topic, partition, offset: as much as `requests` keeps."""
        return self[:3]

    @property
    def arrived_at(self) -> datetime | None:
        """Its timestamp as a moment; None where its producer set a number that is none."""
        with suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(self.timestamp / 1000, UTC)
        return None

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


class Stretch(NamedTuple):
    """Offsets of one partition, all of which were read; first and last included.

    begun_at: when the first record came that was read of the partition, as far as it tells.
    """

    topic: str
    partition: int
    first: int
    last: int
    begun_at: datetime | None = None

    def holds(self, record: tuple[str, int, int]) -> bool:
        """Whether a record (topic, partition, offset) would be in it."""
        topic, partition, offset = record
        return (topic, partition) == self[:2] and self.first <= offset <= self.last


class PartyWord(NamedTuple):
    """What a record says of a customer or partner. ends: it is a tombstone, which has no tenant."""

    party: str
    id: str
    changed_at: datetime
    ends: bool
    tenant_id: str | None = None


class Arrival(NamedTuple):
    """A record that came in, as the intake reads it: a request, a party's change, or broken."""

    place: Place
    digest: bytes
    identity: Identity | None = None
    party: PartyWord | None = None


class Ruling(NamedTuple):
    """A row of `requests`. record: topic, partition, offset, or None for a workflow's call.

    has_ticket: whether the ticket that it names is there, in its tenant.
    """

    tenant_id: str
    request_key: str
    outcome: str
    record: tuple[str, int, int] | None
    has_ticket: bool
    decided_at: datetime

    @property
    def identity(self) -> Identity:
        return self.tenant_id, self.request_key

    @property
    def lacks_ticket(self) -> bool:
        """Whether its ticket should be there and isn't."""
        return self.outcome in {"created", "changed", "unchanged"} and not self.has_ticket


class Fate(StrEnum):
    """Where a committed fact or dead letter should be. kept: in the database alone, known there."""

    SENT = "sent"
    WAITING = "waiting"
    KEPT = "kept"


class Letter(NamedTuple):
    """A row of `dead_letters`. outcome: what became of it when it was handled again, if it was.

    edited: the record as it was handled then, where an operator had edited it.
    """

    place: Place
    digest: bytes
    state: str
    fate: Fate
    tenant_id: str | None
    failed_at: datetime
    outcome: str | None = None
    edited: Arrival | None = None


class PartyRow(NamedTuple):
    """Whose a customer or partner is, and when it was last changed."""

    tenant_id: str
    updated_at: datetime


class Retry(NamedTuple):
    """A replay, during which what had been rejected may have been decided anew.

    finished_at: None for one that was not brought to its end.
    """

    started_at: datetime
    finished_at: datetime | None

    def covers(self, moment: datetime) -> bool:
        return self.started_at <= moment and (
            self.finished_at is None or moment <= self.finished_at
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """Every row that concerns some arrivals, and those that name a record of their stretches.

    rejected: the ce_ids of rejections on record, and when. parties: by (party, id).
    """

    rulings: Sequence[Ruling] = ()
    letters: Sequence[Letter] = ()
    rejected: Mapping[str, datetime] = field(default_factory=dict)
    parties: Mapping[tuple[str, str], PartyRow] = field(default_factory=dict)


class Told(NamedTuple):
    """What a fact's data speaks of."""

    tenant_id: str | None
    ticket_id: str | None
    sequence: str | None


class Fact(NamedTuple):
    """A row of `ticket_facts`, without its data."""

    tenant_id: str
    subject_id: str
    sequence: int
    ce_type: str
    ticket_id: str
    ticket_number: str | None
    causation_id: str | None
    traceparent: str | None
    occurred_at: datetime
    digest: bytes
    fate: Fate

    @property
    def ce_id(self) -> str:
        """What subscribers know it by."""
        return fact_id(self.subject_id, self.sequence) if self.sequence else self.subject_id

    def __str__(self) -> str:
        return f"{self.ce_type} {self.ce_id} (ticket {self.ticket_id}, sequence {self.sequence})"


class Sent(NamedTuple):
    """A record on a fact topic. digest: of its value alone.

    is_early: it was there before the database was read.
    """

    place: Place
    key: bytes | None
    digest: bytes
    headers: Headers
    is_early: bool = True


class SentLetter(NamedTuple):
    """A record on a dead letter topic. origin: the record that it was, None where it doesn't say.

    digest: of what it was, so without the headers that we appended.
    """

    place: Place
    origin: Place | None
    digest: bytes
    is_early: bool = True


def content_digest(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    """A fingerprint of everything in a record that its producer chose."""
    parts = [key, value]
    for name, header in headers:
        parts += [name.encode("utf-8", "surrogateescape"), header]
    digest = sha256()
    for part in parts:
        digest.update(b"-" if part is None else b"%d:" % len(part) + part)
    return digest.digest()


def value_digest(value: bytes | None) -> bytes:
    """A fingerprint of a fact's data; PostgreSQL computes the same."""
    return sha256(value or b"").digest()


def expected_headers(fact: Fact) -> dict[str, bytes | None]:
    """The headers that a fact is published with; None for one that must be absent."""
    has_sequence = fact.sequence > 0
    expected: dict[str, str | None] = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_type": fact.ce_type,
        "ce_source": f"/isp-ticketing/{fact.tenant_id}",
        "ce_subject": fact.ticket_number,
        "ce_time": fact.occurred_at.isoformat(timespec="microseconds"),
        "ce_dataschema": f"urn:isp-ticketing:{fact.ce_type}:1",
        "ce_tenantid": fact.tenant_id,
        "ce_sequence": str(fact.sequence) if has_sequence else None,
        "ce_sequencetype": "Integer" if has_sequence else None,
        "ce_causationid": fact.causation_id,
        "traceparent": fact.traceparent,
    }
    return {name: None if text is None else text.encode() for name, text in expected.items()}
