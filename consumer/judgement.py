"""What became of one record: everything that is on record for it, of which one thing is right.

A record that was dead or rejected may have been handled again; the newer outcome then counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Self

from consumer.evidence import Arrival, Identity, Letter, PartyRow, PartyWord, Retry, Rows, Ruling
from handlers.identity import rejection_id

DEAD_LETTERED: Final = "dead_lettered"
DUPLICATE: Final = "duplicate"
REJECTED: Final = "rejected"
PARKED: Final = "parked"
APPLIED: Final = "applied"

ACCEPTED: Final = frozenset({"created", "changed", "unchanged", PARKED})
"""The outcomes that use up an identity: its other records are duplicates."""

HANDLED_AGAIN: Final = frozenset({"redriven", "resolved_by_replay"})
"""Dead letters that live again; in every other state, being dead is their record's outcome."""


class Verdict(NamedTuple):
    """outcomes: one, if all is well. is_borne_out: whether rows agree with a letter's new outcome.

    waits_for: the identity that was rejected as another record, in case this one came while that
    was parked: then it was a duplicate, and left no trace.
    """

    outcomes: Sequence[str]
    is_borne_out: bool = True
    waits_for: Identity | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """The rows of a stretch, to be looked up in."""

    rulings: Mapping[Identity, Ruling]
    by_record: Mapping[tuple[str, int, int], Ruling]
    rejected: Mapping[str, datetime]
    parties: Mapping[tuple[str, str], PartyRow]
    retries: Sequence[Retry] = field(default=())

    @classmethod
    def of(cls, rows: Rows, retries: Sequence[Retry]) -> Self:
        rulings = {ruling.identity: ruling for ruling in rows.rulings}
        by_record = {ruling.record: ruling for ruling in rows.rulings if ruling.record is not None}
        return cls(rulings, by_record, rows.rejected, rows.parties, retries)

    def judge(self, arrival: Arrival, letter: Letter | None) -> Verdict:
        """What is on record for it."""
        if letter is not None and letter.state in HANDLED_AGAIN:
            return self._judge_again(letter.edited or arrival, letter)
        found = [] if letter is None else [DEAD_LETTERED]
        if arrival.party is not None:
            return Verdict(found or self._of_party(arrival.party))
        identity = arrival.identity or (None if found else self._once_readable(arrival))
        if identity is not None:
            found += self._own(arrival, identity)
        ruling = None if identity is None else self.rulings.get(identity)
        if found or ruling is None or ruling.record == arrival.place.record:
            return Verdict(found)
        if ruling.outcome in ACCEPTED:
            return Verdict([DUPLICATE])
        return Verdict([], waits_for=identity)

    def _judge_again(self, handled: Arrival, letter: Letter) -> Verdict:
        """A letter that lives has the outcome of its row, and other rows must say the same."""
        if handled.party is not None:
            found = self._of_party(handled.party)
            return Verdict(found, is_borne_out=bool(found))
        identity = handled.identity or self._once_readable(handled)
        own = [] if identity is None else self._own(handled, identity)
        if len(own) > 1:
            return Verdict(own)
        is_known = identity is not None and identity in self.rulings
        match letter.outcome:
            case "duplicate":
                found = own or ([DUPLICATE] if is_known else [])
                return Verdict(found, is_borne_out=bool(found))
            case "parked":  # and what has become of it since
                return Verdict(own, is_borne_out=bool(own))
            case outcome:
                return Verdict(own, is_borne_out=own == [outcome])

    def _once_readable(self, arrival: Arrival) -> Identity | None:
        """Who a record was that can't be read now, as under narrower settings, but could be."""
        ruling = self.by_record.get(arrival.place.record)
        return None if ruling is None else ruling.identity

    def _own(self, arrival: Arrival, identity: Identity) -> list[str]:
        """The outcomes that name this very record."""
        record = arrival.place.record
        ruling = self.rulings.get(identity)
        found = []
        if ruling is not None and ruling.record == record and ruling.outcome != REJECTED:
            found.append(ruling.outcome)
        rejected_at = self.rejected.get(rejection_id(identity[1], *record))
        if rejected_at is None:
            return found
        if found and ruling is not None and self._is_retried(rejected_at, ruling.decided_at):
            return found
        return [*found, REJECTED]

    def _is_retried(self, rejected_at: datetime, decided_at: datetime) -> bool:
        """Whether a replay decided anew what had been rejected: the newer outcome counts."""
        return rejected_at < decided_at and any(each.covers(decided_at) for each in self.retries)

    def _of_party(self, word: PartyWord) -> list[str]:
        """Applied where the table is at least as new as the record."""
        row = self.parties.get((word.party, word.id))
        if row is None:
            return [APPLIED] if word.ends else []
        return [APPLIED] if row.updated_at >= word.changed_at else []
