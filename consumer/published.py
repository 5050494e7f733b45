"""Facts and what was published of them: each as committed, and the first time in its order. Pure.

A republished fact (`ce_replayed: true`) must be the same, but is no first occurrence.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from consumer.breach import Breach, Violation
from consumer.evidence import Fact, Fate, Place, Sent, Told, expected_headers
from handlers.identity import fact_id
from schemas.envelope import REPLAYED

ID: Final = "ce_id"
REPLAY_MARK: Final = REPLAYED[0]


@dataclass(slots=True)
class Committed:
    """A fact in the database, and how often it was seen on its topic."""

    fact: Fact
    published: int = 0
    replayed: int = 0


class Gap(NamedTuple):
    """A number that nobody has seen, although a higher one of the ticket was published."""

    tenant_id: str
    ticket_id: str
    sequence: int
    highest: int


@dataclass(slots=True)
class Published:
    """Fed with the facts of a window, then with records, a partition's in their order.

    topic_of: the topic, as it is called on the broker, for each ce_type. begins: whether the window
    has a beginning, so that facts of the same tickets may lie before it. kept_since: for topics
    that retention has deleted records from, since when all are there; what was published before
    can't be judged.
    """

    topic_of: Mapping[str, str]
    begins: bool = False
    kept_since: Mapping[str, datetime] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    facts: dict[str, Committed] = field(default_factory=dict)
    _highest: dict[tuple[str, int], dict[str, int]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _numbers: dict[str, int] = field(default_factory=dict)
    """Of each ticket the sequences that were seen, a bit for each."""

    def committed(self, facts: Iterable[tuple[Fact, Told]]) -> None:
        """Take note of facts in the database."""
        for fact, told in facts:
            self.facts[fact.ce_id] = Committed(fact)
            for name, said, is_ours in (
                ("tenant", told.tenant_id, told.tenant_id == fact.tenant_id),
                ("ticket", told.ticket_id, _is_ticket_of(fact, told.ticket_id)),
                ("sequence", told.sequence, told.sequence == (str(fact.sequence or "") or None)),
            ):
                if not is_ours:
                    self._say(
                        Breach.OTHER_TENANT if name == "tenant" else Breach.DIFFERS,
                        f"{fact} of tenant {fact.tenant_id} speaks of {name} {said} in its data.",
                    )

    def sent(self, records: Iterable[Sent]) -> None:
        """Judge records of fact topics."""
        for record in records:
            headers = {name: value or b"" for name, value in record.headers}
            ce_id = headers.get(ID, b"").decode(errors="replace")
            known = self.facts.get(ce_id)
            if known is None:
                if record.is_early:
                    self._say(
                        Breach.NOT_COMMITTED,
                        f"{record.place} publishes {ce_id!r}, which is not in the database.",
                    )
                continue
            self._compare(record, headers, known.fact)
            if REPLAY_MARK in headers:
                known.replayed += 1
                continue
            if not known.published and not self._is_expired(known.fact):
                self._check_order(record.place, known.fact)
            known.published += 1

    def gaps(self) -> Iterator[Gap]:
        """Numbers that are missing between published ones, and are no fact of the window."""
        for ticket_id, seen in self._numbers.items():
            highest = seen.bit_length() - 1
            lowest = (seen & -seen).bit_length() - 1 if self.begins else 1
            if seen + (1 << lowest) == 1 << (highest + 1):
                continue
            tenant_id = self.facts[fact_id(ticket_id, highest)].fact.tenant_id
            for number in range(lowest, highest):
                if not seen >> number & 1 and fact_id(ticket_id, number) not in self.facts:
                    yield Gap(tenant_id, ticket_id, number, highest)

    def missing(self) -> tuple[list[Violation], int]:
        """What was committed and never published, and how many facts can't be judged any more."""
        found, expired = [], 0
        for known in self.facts.values():
            fact = known.fact
            if fact.fate is not Fate.SENT or known.published:
                continue
            if self._is_expired(fact):
                expired += 1
            elif known.replayed:
                text = f"{fact} was only ever sent again (ce_replayed), never published."
                found.append(Violation(Breach.NEVER_PUBLISHED, text))
            else:
                found.append(Violation(Breach.NEVER_PUBLISHED, f"{fact} was never published."))
        return found, expired

    def _is_expired(self, fact: Fact) -> bool:
        kept_since = self.kept_since.get(self.topic_of.get(fact.ce_type, ""))
        return kept_since is not None and fact.occurred_at < kept_since

    def _say(self, kind: Breach, sentence: str) -> None:
        self.violations.append(Violation(kind, sentence))

    def _compare(self, record: Sent, headers: Mapping[str, bytes], fact: Fact) -> None:
        what = f"{record.place} publishes {fact}"
        if record.place.topic != self.topic_of.get(fact.ce_type) and REPLAY_MARK not in headers:
            self._say(Breach.DIFFERS, f"{what} on a topic of another kind.")
        if record.digest != fact.digest:
            self._say(Breach.DIFFERS, f"{what} with another value than the one committed.")
        if record.key != fact.ticket_id.encode():
            self._say(Breach.DIFFERS, f"{what} under the key {record.key!r}.")
        expected = expected_headers(fact)
        for name, value in expected.items():
            found = headers.get(name)
            if found != value:
                kind = Breach.OTHER_TENANT if name == "ce_tenantid" else Breach.DIFFERS
                self._say(kind, f"{what} with {name} {found!r} instead of {value!r}.")
        for name, times in Counter(name for name, _ in record.headers).items():
            if name not in expected and name not in {ID, REPLAY_MARK}:
                self._say(Breach.DIFFERS, f"{what} with a header {name} of {headers[name]!r}.")
            elif times > 1:
                self._say(Breach.DIFFERS, f"{what} with {times} headers {name}.")
        if headers.get(REPLAY_MARK, REPLAYED[1]) != REPLAYED[1]:
            mark = headers[REPLAY_MARK]
            self._say(Breach.DIFFERS, f"{what} with {REPLAY_MARK} {mark!r}, which is not a mark.")

    def _check_order(self, place: Place, fact: Fact) -> None:
        if not fact.sequence:
            return
        subject = fact.subject_id
        stream = self._highest[place.topic, place.partition]
        highest = stream.get(subject, 0)
        if fact.sequence < highest:
            self._say(
                Breach.OUT_OF_ORDER,
                f"{place} is the first occurrence of {fact}, but {highest} came before it.",
            )
        stream[subject] = max(highest, fact.sequence)
        self._numbers[subject] = self._numbers.get(subject, 0) | 1 << fact.sequence


def _is_ticket_of(fact: Fact, told: str | None) -> bool:
    """A rejection may speak of no ticket; its key is then the identity's own."""
    return told == fact.ticket_id or (told is None and not fact.sequence)
