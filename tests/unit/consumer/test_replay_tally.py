"""What a replay counts, and what it tells of single records."""

from typing import Any

import pytest

from consumer.replay_batch import is_open
from consumer.replay_tally import COUNTS, NEWS_KEPT, New, Tally, passed_over, tally_of
from handlers.again import DecidedAgain, Fate
from handlers.batch import Handled
from handlers.outcomes import Created, Duplicate, Parked, Rejected
from handlers.parties import Moved
from handlers.record import coordinates
from schemas.vocabulary import Outcome, RejectionCode
from tests.records import NOON, asked, broken, customer_change


def handled(**parts: Any) -> Handled:  # noqa: ANN401  fields of Handled
    empty: dict[str, Any] = {"decisions": [], "parties": [], "dead": [], "repeated": []}
    return Handled(now=NOON, outbox_id=None, **empty | parts)


def test_every_decision_is_counted_once() -> None:
    refused = Rejected(asked(3, 3), RejectionCode.ROUTE_NOT_ALLOWED, "Not allowed.")
    decided = handled(
        decisions=[
            Created(asked(1, 1), None, "TCK-1", customer_is_unlisted=False),
            Duplicate(asked(2, 2), differs=False),
            refused,
            Duplicate(asked(4, 4), differs=False, refused=refused),
            Parked(asked(5, 5), "Ben"),
        ],
        parties=[
            (customer_change("Anna", 6), Outcome.CHANGED),
            (customer_change("Ben", 7), Outcome.UNCHANGED),
            (customer_change("Carl", 8), Moved(customer_change("Carl", 8), "south")),
        ],
        dead=[broken(8)],
        repeated=[broken(9), broken(10)],
    )
    letters = {coordinates(broken(9).record)}
    tally = tally_of(DecidedAgain(decided, []), letters)
    assert tally.counts == {
        "created": 1,
        "duplicate": 2,
        "rejected": 1,
        "still_rejected": 1,
        "parked": 1,
        "changed": 1,
        "unchanged": 1,
        "dead_lettered": 1,
        "still_failing": 1,
        "resolved_letters": 0,
    }
    assert tally.failures == 2
    assert [(new.record, new.outcome) for new in tally.news] == [
        ("ticket.requested:0:1", "created"),
        ("ticket.requested:0:3", "rejected"),
        ("customer.changed:0:6", "changed"),
        ("ticket.requested:0:8", "dead_lettered"),
        ("ticket.requested:0:9", "still_failing"),
    ]
    created, rejected, party, *_ = tally.news
    assert (created.what, created.ticket_id) == ("TCK-1", asked(1, 1).ticket_id)
    assert (rejected.what, rejected.tenant_id) == ("Not allowed.", "north")
    assert party.what.startswith("customer ")


def test_a_letter_is_resolved_unless_it_fails_or_is_refused_once_more() -> None:
    place = ("requests", 0, 0, 0)
    fates = [
        Fate(place, Outcome.CREATED),
        Fate(place, Outcome.REJECTED, "Not allowed."),
        Fate(place, Outcome.DUPLICATE),
        Fate(place, Outcome.DUPLICATE, "Not allowed."),
        Fate(place, Outcome.DEAD_LETTERED, "title: is missing"),
    ]
    assert tally_of(DecidedAgain(handled(), fates), ()).counts["resolved_letters"] == 3


def test_what_was_not_handed_over_is_a_duplicate_unless_it_was_to_be_retried() -> None:
    assert passed_over(customer_change()).counts == {"duplicate": 1}
    assert passed_over(broken()).counts == {"duplicate": 1}
    assert passed_over(broken()).news == []
    failing = passed_over(broken(), is_failing=True)
    assert failing.counts == {"still_failing": 1}
    assert [each.record for each in failing.news] == ["ticket.requested:0:0"]


def test_only_the_first_news_are_kept_and_all_are_counted() -> None:
    total = Tally()
    for _ in range(3):
        part = Tally()
        part.counts["created"] += NEWS_KEPT // 2
        part.note(New(f"t:0:{n}", "created", None, "TCK") for n in range(NEWS_KEPT // 2))
        total.add(part)
    assert total.counts == {"created": 3 * (NEWS_KEPT // 2)}
    assert len(total.news) == NEWS_KEPT


def test_every_outcome_of_a_record_has_its_row() -> None:
    """But parked: nobody waits in a replay."""
    assert {each.value for each in Outcome} - set(COUNTS) == {"parked"}
    assert all(type(name) is str for name in COUNTS)


@pytest.mark.parametrize("outcome", ["created", "duplicate", "rejected", None])
@pytest.mark.parametrize("was_edited", [False, True])
@pytest.mark.parametrize("retry_rejected", [False, True])
def test_which_letters_are_decided_again(
    outcome: str | None,
    was_edited: bool,  # noqa: FBT001  a case
    retry_rejected: bool,  # noqa: FBT001  a case
) -> None:
    def opened(state: str) -> bool:
        letter = {"state": state, "outcome": outcome, "was_edited": was_edited}
        return is_open(letter, outcome, retry_rejected=retry_rejected)

    is_retried = retry_rejected and outcome == "rejected"
    assert opened("dead")
    assert opened("failed_again")
    assert opened("redriven") == (is_retried and not was_edited)
    assert opened("resolved_by_replay") == is_retried
    assert not opened("discarded")
