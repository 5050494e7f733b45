import string
from typing import Any

import pytest

from schemas.vocabulary import (
    REJECTION_MESSAGES,
    SYSTEM_ACTOR,
    ActorType,
    Priority,
    RejectionCode,
    TicketStatus,
    TicketType,
    Word,
)

KNOWN_VALUES = {
    "v": "123",
    "Origin": "Tenant",
    "target": "customer",
    "tenant": "north",
    "claimed": "south",
    "id": "TCK-1",
    "reason": "Customers cannot update ticket metadata.",
    "before": "closed",
    "after": "waiting",
    "level": 9,
    "sequence": 4,
}


@pytest.mark.parametrize("words", [ActorType, Priority, TicketStatus, TicketType])
def test_words_are_found_in_any_case_and_within_white_space(words: type[Word]) -> None:
    for word in words:
        assert words(f" {word.value.upper()}\u2003") is word


@pytest.mark.parametrize(
    ("alias", "priority"),
    [("medium", Priority.NORMAL), ("CRITICAL", Priority.URGENT), (" Medium ", Priority.NORMAL)],
)
def test_other_systems_names_of_priorities_are_understood(alias: str, priority: Priority) -> None:
    assert Priority(alias) is priority


@pytest.mark.parametrize("value", ["", "lowest", "medium ish", 3, None, [], True])
def test_no_other_word_is_a_priority(value: Any) -> None:  # noqa: ANN401  any value
    with pytest.raises(ValueError, match="is not a valid Priority"):
        Priority(value)


def test_the_system_is_no_actor_that_anyone_may_claim_to_be() -> None:
    with pytest.raises(ValueError, match="is not a valid ActorType"):
        ActorType(SYSTEM_ACTOR)


def test_there_are_twelve_ticket_types() -> None:
    assert len(TicketType) == 12


def test_every_rejection_has_its_message() -> None:
    assert REJECTION_MESSAGES.keys() == set(RejectionCode)


@pytest.mark.parametrize("code", RejectionCode)
def test_a_rejection_message_is_a_sentence_of_known_values(code: RejectionCode) -> None:
    template = REJECTION_MESSAGES[code]
    names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    assert names <= KNOWN_VALUES.keys()
    said = template.format(**KNOWN_VALUES)
    assert said[0].isupper() or said.startswith("partner_id ")
    assert "{" not in said
