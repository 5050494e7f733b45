"""What became of the records of a replay: counted, and the first of what is new. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

from handlers.again import DecidedAgain
from handlers.batch import Broken
from handlers.outcomes import Changed, ChangeDecision, Created, Decision, Duplicate, Rejected
from handlers.outcomes import outcome_of as told
from handlers.parties import Moved, PartyChange
from handlers.record import Coordinates, coordinates, place_of
from schemas.vocabulary import Outcome

SCANNED: Final = "scanned"
MATCHED: Final = "matched"
STILL_REJECTED: Final = "still_rejected"
STILL_FAILING: Final = "still_failing"
RESOLVED_LETTERS: Final = "resolved_letters"

COUNTS: Final = (
    *(SCANNED, MATCHED),
    *(Outcome.CREATED.value, Outcome.CHANGED.value, Outcome.UNCHANGED.value),
    *(Outcome.DUPLICATE.value, STILL_REJECTED, Outcome.REJECTED.value),
    *(Outcome.DEAD_LETTERED.value, STILL_FAILING, RESOLVED_LETTERS),
)
"""In the order in which they are told. Every matched record is counted under one of those between
`matched` and `resolved_letters`; a resolved letter has its outcome besides."""

FAILURES: Final = (Outcome.DEAD_LETTERED, STILL_FAILING)

NEWS_KEPT: Final = 1_000


class New(NamedTuple):
    """A record that a replay gave a new outcome, or could not handle.

    record: topic:partition:offset. what: the ticket's number, the party's id, or the reason.
    """

    record: str
    outcome: str
    tenant_id: str | None
    what: str
    ticket_id: str | None = None


class Tally:
    """Of one transaction, or of a whole replay. news: the first of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.news: list[New] = []

    def add(self, other: "Tally") -> None:
        self.counts += other.counts  # leaves out what is 0
        self.note(other.news)

    def note(self, news: Iterable[New]) -> None:
        for each in news:
            if len(self.news) < NEWS_KEPT:
                self.news.append(each)

    @property
    def failures(self) -> int:
        """How many records could not be handled."""
        return sum(self.counts[each] for each in FAILURES)


def tally_of(decided: DecidedAgain, letters: Collection[Coordinates]) -> Tally:
    """What became of a batch. letters: those of its dead letters that were decided again."""
    tally, handled = Tally(), decided.handled
    for decision in handled.decisions:
        tally.counts[_name_of(decision)] += 1
    for _, became in handled.parties:
        if not isinstance(became, Moved):
            tally.counts[became] += 1
    tally.counts[Outcome.DEAD_LETTERED] += len(handled.dead)
    for broken in handled.repeated:
        failed = coordinates(broken.record) in letters
        tally.counts[STILL_FAILING if failed else Outcome.DUPLICATE] += 1
    tally.counts[RESOLVED_LETTERS] += sum(fate.is_resolved for fate in decided.fates)
    tally.note(_news(decided, letters))
    return tally


def passed_over(entry: PartyChange | Broken, *, is_failing: bool = False) -> Tally:
    """A record that was not handed over, because its outcome stands.

    is_failing: it was to be decided once more, and can't be.
    """
    tally = Tally()
    tally.counts[STILL_FAILING if is_failing else Outcome.DUPLICATE] += 1
    if is_failing and isinstance(entry, Broken):
        tally.note([_new_of(entry, STILL_FAILING)])
    return tally


def _name_of(decision: Decision | ChangeDecision) -> str:
    is_refused = isinstance(decision, Duplicate) and decision.refused is not None
    return STILL_REJECTED if is_refused else told(decision)


def _news(decided: DecidedAgain, letters: Collection[Coordinates]) -> Iterator[New]:
    for decision in decided.handled.decisions:
        if (new := _new_decision(decision)) is not None:
            yield new
    for change, became in decided.handled.parties:
        if became is Outcome.CHANGED and change.record is not None:
            yield _party(change)
    for broken in decided.handled.dead:
        yield _new_of(broken, Outcome.DEAD_LETTERED)
    for broken in decided.handled.repeated:
        if coordinates(broken.record) in letters:
            yield _new_of(broken, STILL_FAILING)


def _new_decision(decision: Decision | ChangeDecision) -> New | None:
    record = decision.request.record
    if record is None:
        return None
    place, tenant_id = place_of(record), decision.request.tenant_id
    match decision:
        case Created(request, _, number):
            return New(place, Outcome.CREATED, tenant_id, number, request.ticket_id)
        case Changed(_, ticket):
            return New(place, Outcome.CHANGED, tenant_id, ticket.number, ticket.id)
        case Rejected():
            return New(place, Outcome.REJECTED, tenant_id, decision.message)
        case _:
            return None


def _party(change: PartyChange) -> New:
    place = "" if change.record is None else place_of(change.record)
    return New(place, Outcome.CHANGED, change.tenant_id, f"{change.party} {change.id}")


def _new_of(broken: Broken, outcome: str) -> New:
    return New(place_of(broken.record), outcome, broken.tenant_id, broken.message)
