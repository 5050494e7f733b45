"""Whether the promise held: what came in, what the database says of it, and what went out. Pure.

Every record ends in exactly one recorded outcome; every committed fact is published, the first
occurrences of a ticket's facts in their order within each topic; nothing else is published.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from consumer.breach import Breach, Violation
from consumer.evidence import (
    Arrival,
    Fate,
    Identity,
    Letter,
    Place,
    Retry,
    Rows,
    SentLetter,
    Stretch,
)
from consumer.judgement import Records
from consumer.losses import Losses
from consumer.phantoms import Came
from consumer.published import Published

CLOCKS_DIFFER_BY: Final = timedelta(minutes=1)
"""How far apart the clocks of producers, brokers and the database may be."""

EVER: Final = datetime(1, 1, 1, tzinfo=UTC)
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""The ends of a window that is open."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was counted, and what breaks the promise.

    outcomes: how many of the records had which. tickets: those whose first fact is in the window.
    published: distinct facts; repeated: further occurrences of them. kept: facts and dead letters
    that the broker did not take, which the database says. expired: facts and dead letters whose
    topics no longer go back so far. waiting: what is not done yet and no violation, by name; all of
    it is 0 once the service has come to rest. lost: records that were deleted before the group had
    read them; losses: a sentence for each stretch of them. remarks: what an operator should know
    and nothing was lost by. found: the violations with their kinds.
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
    expired: int = 0
    lost: int = 0
    losses: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    found: tuple[Violation, ...] = field(default=(), repr=False)

    @property
    def holds(self) -> bool:
        """Whether nothing breaks the promise, and nothing was lost."""
        return not self.violations and not self.losses

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is left to be done."""
        return not any(self.waiting.values())


@dataclass(slots=True)
class Audit:
    """Fed with all arrivals, then all facts, then what was sent; a partition's in their order.

    since, until: the window. now: of the database. retries: replays that may have decided rejected
    records anew. waiting_for: arrivals that were duplicates, if a request of their identity was
    parked when they came. forgotten_before: what was decided about dead letters is removed once it
    is so old; such a record has no outcome any more, and that is no violation.
    """

    published: Published
    since: datetime = EVER
    until: datetime = NEVER
    now: datetime = NEVER
    retries: Sequence[Retry] = ()
    forgotten_before: datetime = EVER
    violations: list[Violation] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    letters: dict[Place, Letter] = field(default_factory=dict)
    waiting_for: list[tuple[Place, Identity]] = field(default_factory=list)
    _letters_seen: set[Place] = field(default_factory=set)

    def arrived(
        self, arrivals: Sequence[Arrival], stretch: Stretch, rows: Rows, tenant: str | None = None
    ) -> None:
        """Judge the records of a stretch, given their rows. tenant: the only one of the topic."""
        records = Records.of(rows, self.retries)
        letters = {letter.place: letter for letter in rows.letters}
        for arrival in arrivals:
            place = arrival.place
            letter = letters.get(place)
            if letter is not None:
                self.letters[place] = letter
            verdict = records.judge(arrival, letter)
            if verdict.waits_for is not None:
                self.waiting_for.append((place, verdict.waits_for))
            elif letter is None or verdict.is_borne_out or len(verdict.outcomes) > 1:
                self._count(place, verdict.outcomes)
            else:
                self.outcomes["none"] += 1
                self._say(
                    Breach.NOT_BORNE_OUT,
                    f"{place} is on record as {letter.state} with the outcome {letter.outcome}, "
                    f"but other rows say {' and '.join(verdict.outcomes) or 'nothing'} of it.",
                )
            self._compare_letter(arrival, letter)
        came = Came(arrivals, stretch, rows, since=self.since, tenant=tenant)
        self.violations += came.oddities()

    def settle(self, unknown_until: Mapping[Identity, datetime]) -> None:
        """Judge what waited. unknown_until: when identities' customers were last not found.

        What came before that was a duplicate of a parked request, as far as clocks can tell; what
        came later has to have an outcome of its own. A time ahead of now tells nothing.
        """
        for place, identity in self.waiting_for:
            until = unknown_until.get(identity)
            at = place.arrived_at
            if until is not None and (at is None or not until + CLOCKS_DIFFER_BY < at <= self.now):
                self.outcomes["duplicate"] += 1
            else:
                self._count(place, ())
        self.waiting_for.clear()

    def sent_letters(self, records: Iterable[SentLetter]) -> None:
        """Judge records of dead letter topics."""
        for record in records:
            letter = None if record.origin is None else self.letters.get(record.origin)
            if letter is None:
                if record.is_early:
                    self._say(
                        Breach.NOT_COMMITTED,
                        f"{record.place} is a dead letter that is not in the database.",
                    )
                continue
            self._letters_seen.add(letter.place)
            if record.digest != letter.digest:
                self._say(
                    Breach.OTHER_BYTES, f"{record.place} carries {letter.place} with other bytes."
                )

    def report(
        self,
        *,
        unread: int = 0,
        loose_ends: Iterable[str] = (),
        losses: Losses | None = None,
        letters_kept_since: Mapping[str, datetime] | None = None,
    ) -> Report:
        """Draw the conclusion. unread: records that nobody was to have handled yet.

        letters_kept_since: for topics whose dead letter topic has lost records to retention, since
        when it has them all.
        """
        facts = self.published.facts.values()
        created = [each for each in facts if each.fact.ce_type == "ticket.created"]
        seen = sum(each.published + each.replayed for each in facts)
        distinct = sum(bool(each.published or each.replayed) for each in facts)
        fates = Counter(each.fact.fate for each in facts)
        letter_fates = Counter(each.fate for each in self.letters.values())
        facts_missing, facts_expired = self.published.missing()
        letters_missing, letters_expired = self._letters_missing(letters_kept_since or {})
        found = (
            *self.violations,
            *(Violation(Breach.LOOSE_END, sentence) for sentence in loose_ends),
            *self.published.violations,
            *facts_missing,
            *letters_missing,
        )
        told = losses or Losses()
        return Report(
            records=self.outcomes.total(),
            outcomes=dict(self.outcomes),
            tickets=len(created),
            tickets_published=sum(bool(each.published or each.replayed) for each in created),
            facts=len(facts),
            published=distinct,
            repeated=seen - distinct,
            dead_letters=len(self.letters),
            kept=fates[Fate.KEPT] + letter_fates[Fate.KEPT],
            waiting={
                "unread": unread,
                "parked": self.outcomes["parked"],
                "facts": fates[Fate.WAITING],
                "dead_letters": letter_fates[Fate.WAITING],
            },
            violations=tuple(each.sentence for each in found),
            expired=facts_expired + letters_expired,
            lost=told.records,
            losses=told.sentences,
            remarks=told.remarks,
            found=found,
        )

    def _say(self, kind: Breach, sentence: str) -> None:
        self.violations.append(Violation(kind, sentence))

    def _count(self, place: Place, found: Sequence[str]) -> None:
        match found:
            case [outcome]:
                self.outcomes[outcome] += 1
            case [] if (place.arrived_at or NEVER) < self.forgotten_before:
                self.outcomes["forgotten"] += 1
            case []:
                self.outcomes["none"] += 1
                self._say(Breach.NO_OUTCOME, f"{place} has no recorded outcome.")
            case _:
                self.outcomes["several"] += 1
                self._say(
                    Breach.SEVERAL_OUTCOMES,
                    f"{place} has {len(found)} outcomes: {', '.join(found)}.",
                )

    def _compare_letter(self, arrival: Arrival, letter: Letter | None) -> None:
        if letter is not None and letter.digest != arrival.digest:
            self._say(
                Breach.OTHER_BYTES, f"{arrival.place} is kept as a dead letter with other bytes."
            )

    def _letters_missing(self, kept_since: Mapping[str, datetime]) -> tuple[list[Violation], int]:
        """Dead letters of the window that were to reach their topic, and how many are too old."""
        found, expired = [], 0
        for letter in self.letters.values():
            is_judged = self.since <= letter.failed_at <= self.until
            if letter.fate is not Fate.SENT or letter.place in self._letters_seen or not is_judged:
                continue
            if letter.failed_at < kept_since.get(letter.place.topic, EVER):
                expired += 1
                continue
            text = f"{letter.place} is a dead letter that never reached its topic."
            found.append(Violation(Breach.NEVER_PUBLISHED, text))
        return found, expired
