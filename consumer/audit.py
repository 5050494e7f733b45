"""Whether the promise held: what came in, what the database says of it, and what went out. Pure.

Every record ends in exactly one recorded outcome; every committed fact is published, the first
occurrences of a ticket's facts in their order within each topic; nothing else is published.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from consumer.evidence import (
    Arrival,
    Fact,
    Fate,
    Identity,
    Letter,
    PartyWord,
    Place,
    Rows,
    Ruling,
    Sent,
    SentLetter,
    Stretch,
    expected_headers,
)
from handlers.identity import rejection_id

ACCEPTED: Final = frozenset({"created", "changed", "unchanged", "parked"})
"""The outcomes that use up an identity: its other records are duplicates."""

PARKED_FIRST: Final = "customer_not_found"
"""A rejection that was parked before: what came meanwhile was a duplicate and left no trace."""

FINAL_STATES: Final = frozenset({"dead", "failed_again", "discarded"})
"""Dead letters whose record has no other outcome; the rest was handled again, and has one."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was counted, and a sentence for everything that breaks the promise.

    outcomes: how many of the records had which. tickets: those whose first fact is in the window.
    published: distinct facts; repeated: further occurrences of them. kept: facts and dead letters
    that the broker did not take, which the database says. waiting: what is not done yet and no
    violation, by name; all of it is 0 once the service has come to rest.
    """

    records: int
    outcomes: Mapping[str, int]
    tickets: int
    tickets_published: int
    facts: int
    published: int
    repeated: int
    dead_letters: int
    kept: int
    waiting: Mapping[str, int]
    violations: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing breaks the promise."""
        return not self.violations

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is left to be done."""
        return not any(self.waiting.values())


@dataclass(slots=True)
class Audit:
    """Fed with all arrivals, then all facts, then what was sent; a partition's in their order.

    topic_of: the topic, as it is called on the broker, for each ce_type.
    """

    topic_of: Mapping[str, str]
    violations: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    facts: dict[str, Fact] = field(default_factory=dict)
    letters: dict[Place, Letter] = field(default_factory=dict)
    _seen: Counter[str] = field(default_factory=Counter)
    _letters_seen: set[Place] = field(default_factory=set)
    _highest: dict[tuple[str, int, str], int] = field(default_factory=dict)

    def arrived(self, arrivals: Sequence[Arrival], stretch: Stretch, rows: Rows) -> None:
        """Judge the records of a stretch, given their rows."""
        rulings = {(each.tenant_id, each.request_key): each for each in rows.rulings}
        letters = {letter.place: letter for letter in rows.letters}
        self.letters |= letters
        for arrival in arrivals:
            place = arrival.place
            letter = letters.get(place)
            ruling = None if arrival.identity is None else rulings.get(arrival.identity)
            self._count(place, _outcomes(arrival, letter, ruling, rows))
            if letter is not None and letter.digest != arrival.digest:
                self._say(f"{place} is kept as a dead letter with other bytes.")
            if ruling is not None and _is_ticketless(ruling, place):
                self._say(f"{place} is on record as created, but there is no ticket.")
        self._find_phantoms(arrivals, stretch, rulings, letters)

    def committed(self, facts: Iterable[Fact]) -> None:
        """Take note of facts in the database."""
        for fact in facts:
            self.facts[fact.ce_id] = fact
            told = (fact.tenant_id, str(fact.sequence) if fact.sequence else None)
            if fact.told != told:
                self._say(f"{fact} speaks of tenant and sequence {fact.told}, not of {told}.")

    def sent(self, records: Iterable[Sent]) -> None:
        """Judge records of fact topics."""
        for record in records:
            headers = {name: value or b"" for name, value in record.headers}
            ce_id = headers.get("ce_id", b"").decode(errors="replace")
            fact = self.facts.get(ce_id)
            if fact is None:
                if record.is_early:
                    self._say(f"{record.place} publishes {ce_id!r}, which is not in the database.")
                continue
            self._compare(record, headers, fact)
            if ce_id not in self._seen and "ce_replayed" not in headers:
                self._check_order(record.place, fact)
            self._seen[ce_id] += 1

    def sent_letters(self, records: Iterable[SentLetter]) -> None:
        """Judge records of dead letter topics."""
        for record in records:
            letter = None if record.origin is None else self.letters.get(record.origin)
            if letter is None:
                if record.is_early:
                    self._say(f"{record.place} is a dead letter that is not in the database.")
                continue
            self._letters_seen.add(letter.place)
            if record.digest != letter.digest:
                self._say(f"{record.place} carries {letter.place} with other bytes.")

    def report(self, *, unread: int = 0, loose_ends: Iterable[str] = ()) -> Report:
        """Draw the conclusion. unread: records that nobody was to have handled yet."""
        facts, letters = self.facts.values(), self.letters.values()
        created = [fact for fact in facts if fact.ce_type == "ticket.created"]
        return Report(
            records=self.outcomes.total(),
            outcomes=dict(self.outcomes),
            tickets=len(created),
            tickets_published=sum(fact.ce_id in self._seen for fact in created),
            facts=len(self.facts),
            published=len(self._seen),
            repeated=self._seen.total() - len(self._seen),
            dead_letters=len(self.letters),
            kept=[*(fact.fate for fact in facts), *(each.fate for each in letters)].count(
                Fate.KEPT
            ),
            waiting={
                "unread": unread,
                "parked": self.outcomes["parked"],
                "facts": sum(fact.fate is Fate.WAITING for fact in facts),
                "dead_letters": sum(letter.fate is Fate.WAITING for letter in letters),
            },
            violations=(*self.violations, *loose_ends, *self._never_published()),
        )

    def _say(self, sentence: str) -> None:
        self.violations.append(sentence)

    def _count(self, place: Place, found: Sequence[str]) -> None:
        match found:
            case [outcome]:
                self.outcomes[outcome] += 1
            case []:
                self.outcomes["none"] += 1
                self._say(f"{place} has no recorded outcome.")
            case _:
                self.outcomes["several"] += 1
                self._say(f"{place} has {len(found)} outcomes: {', '.join(found)}.")

    def _find_phantoms(
        self,
        arrivals: Sequence[Arrival],
        stretch: Stretch,
        rulings: Mapping[Identity, Ruling],
        letters: Mapping[Place, Letter],
    ) -> None:
        """Rows about records that no reader of committed records finds where they should be."""
        came = {arrival.place.record: arrival.identity for arrival in arrivals}
        places = {arrival.place for arrival in arrivals}
        for identity, ruling in rulings.items():
            record = ruling.record
            if record is None or came.get(record) == identity:
                continue
            if stretch.holds(record):
                where = ":".join(map(str, record))
                self._say(f"{where} is on record as {ruling.outcome}, but it is no such record.")
        for place in letters.keys() - places:
            if stretch.holds(place.record):
                self._say(f"{place} is on record as a dead letter, but it is no such record.")

    def _compare(self, record: Sent, headers: Mapping[str, bytes], fact: Fact) -> None:
        what = f"{record.place} publishes {fact}"
        if record.place.topic != self.topic_of.get(fact.ce_type):
            self._say(f"{what} on a topic of another kind.")
        if record.digest != fact.digest:
            self._say(f"{what} with another value than the one committed.")
        if record.key != fact.ticket_id.encode():
            self._say(f"{what} under the key {record.key!r}.")
        for name, expected in expected_headers(fact).items():
            found = headers.get(name)
            if found != expected:
                self._say(f"{what} with {name} {found!r} instead of {expected!r}.")

    def _check_order(self, place: Place, fact: Fact) -> None:
        stream = (place.topic, place.partition, fact.subject_id)
        highest = self._highest.get(stream, -1)
        if fact.sequence < highest:
            self._say(f"{place} is the first occurrence of {fact}, but {highest} came before it.")
        self._highest[stream] = max(highest, fact.sequence)

    def _never_published(self) -> list[str]:
        facts = [
            f"{fact} was never published."
            for ce_id, fact in self.facts.items()
            if fact.fate is Fate.SENT and ce_id not in self._seen
        ]
        letters = [
            f"{letter.place} is a dead letter that never reached its topic."
            for letter in self.letters.values()
            if letter.fate is Fate.SENT and letter.place not in self._letters_seen
        ]
        return facts + letters


def _outcomes(
    arrival: Arrival, letter: Letter | None, ruling: Ruling | None, rows: Rows
) -> list[str]:
    """Everything that is on record for one arrival; exactly one is right."""
    found = ["dead_lettered"] if letter is not None and letter.state in FINAL_STATES else []
    if arrival.party is not None:
        return found or _outcome_of_party(arrival.party, rows)
    if arrival.identity is None:
        return found
    record = arrival.place.record
    was_rejected = rejection_id(arrival.identity[1], *record) in rows.rejected
    if ruling is not None and ruling.record == record and ruling.outcome != "rejected":
        found.append(ruling.outcome)
    if was_rejected:
        found.append("rejected")
    if not found and ruling is not None and ruling.record != record:
        is_used_up = ruling.outcome in ACCEPTED or ruling.code == PARKED_FIRST
        return ["duplicate"] if is_used_up else []
    return found


def _is_ticketless(ruling: Ruling, place: Place) -> bool:
    return ruling.record == place.record and ruling.outcome == "created" and not ruling.has_ticket


def _outcome_of_party(word: PartyWord, rows: Rows) -> list[str]:
    """Applied where the table is at least as new as the record."""
    updated_at = rows.parties.get((word.party, word.id)) if rows.parties else None
    if updated_at is None:
        return ["applied"] if word.ends else []
    return ["applied"] if updated_at >= word.changed_at else []
