"""Rows that name a record of a stretch, against the records that came: nobody's, or another's."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from consumer.breach import Breach, Violation
from consumer.evidence import Arrival, Letter, PartyWord, Rows, Ruling, Stretch
from consumer.judgement import HANDLED_AGAIN


class Came:
    """The records of a stretch, all of them, and the rows that name one.

    since: of the window. tenant: the only one of the topic, if it has one.
    """

    def __init__(
        self,
        arrivals: Sequence[Arrival],
        stretch: Stretch,
        rows: Rows,
        *,
        since: datetime,
        tenant: str | None,
    ) -> None:
        self._tenant = tenant
        self._stretch = stretch
        self._rows = rows
        self._since = since
        self._came = {arrival.place.record: arrival for arrival in arrivals}
        self._letters = {letter.place: letter for letter in rows.letters}
        self._rulings = [
            (ruling, ruling.record)
            for ruling in rows.rulings
            if ruling.record is not None and stretch.holds(ruling.record)
        ]

    def oddities(self) -> Iterator[Violation]:
        """Rows about records that are not where they should be, or that are somebody else's."""
        for ruling, record in self._rulings:
            yield from self._of_ruling(ruling, record, self._came.get(record))
        for letter in self._rows.letters:
            if self._stretch.holds(letter.place.record):
                yield from self._of_letter(letter, self._came.get(letter.place.record))
        for arrival in self._came.values():
            if arrival.party is not None and arrival.place not in self._letters:
                yield from self._of_party(arrival.party, arrival)

    def _of_ruling(
        self, ruling: Ruling, record: tuple[str, int, int], arrival: Arrival | None
    ) -> Iterator[Violation]:
        where = ":".join(map(str, record))
        if arrival is not None and self._is_about(ruling, arrival):
            if ruling.lacks_ticket:
                text = f"{where} is on record as {ruling.outcome}, but there is no ticket."
                yield Violation(Breach.NO_TICKET, text)
        elif not self._is_of_this_topic(ruling.decided_at, arrival):
            return
        elif self._tenant not in {None, ruling.tenant_id}:
            yield Violation(
                Breach.OTHER_TENANT,
                f"{where} came on a topic of tenant {self._tenant}, but is on record as "
                f"{ruling.outcome} for tenant {ruling.tenant_id}.",
            )
        else:
            yield Violation(
                Breach.NO_SUCH_RECORD,
                f"{where} is on record as {ruling.outcome}, but it is no such record.",
            )

    def _of_letter(self, letter: Letter, arrival: Arrival | None) -> Iterator[Violation]:
        place = letter.place
        if arrival is None or arrival.place != place:
            if self._is_of_this_topic(letter.failed_at, arrival):
                yield Violation(
                    Breach.NO_SUCH_RECORD,
                    f"{place} is on record as a dead letter, but it is no such record.",
                )
        elif self._tenant not in {None, letter.tenant_id}:
            yield Violation(
                Breach.OTHER_TENANT,
                f"{place} came on a topic of tenant {self._tenant}, but is kept as a dead letter of"
                f" tenant {letter.tenant_id}.",
            )

    def _of_party(self, word: PartyWord, arrival: Arrival) -> Iterator[Violation]:
        row = self._rows.parties.get((word.party, word.id))
        if row is not None and word.tenant_id not in {None, row.tenant_id}:
            yield Violation(
                Breach.OTHER_TENANT,
                f"{arrival.place} announces {word.party} {word.id} of tenant {word.tenant_id}, but"
                f" it is kept as one of tenant {row.tenant_id}.",
            )

    def _is_about(self, ruling: Ruling, arrival: Arrival) -> bool:
        letter = self._letters.get(arrival.place)
        if letter is None and arrival.identity is None and arrival.party is None:
            return True  # it could be read when it was decided
        if letter is None or letter.state not in HANDLED_AGAIN:
            return arrival.identity == ruling.identity
        handled = letter.edited or arrival
        return handled.identity in {None, ruling.identity}

    def _is_of_this_topic(self, decided_at: datetime, arrival: Arrival | None) -> bool:
        """Whether a row can be about this topic, or is older: of one that was deleted since."""
        at = self._stretch.begun_at if arrival is None else arrival.place.arrived_at
        return self._since <= decided_at and (at is None or at <= decided_at)
