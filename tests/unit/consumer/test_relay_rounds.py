"""What a round may hold, and which of its facts have to wait."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as some

from consumer.delivery import Delivered
from consumer.ledger import MOST_BYTES, MOST_FACTS, Settlement, bounded
from consumer.letters import portions
from consumer.outgoing import Outgoing
from consumer.rounds import holds, part
from db.held_facts import BEHIND, NO_TOPIC, Block, FactKey, Hold
from db.letters import LetterKey
from db.outbox import Claim

TICKET = UUID(int=1).bytes
OTHER = UUID(int=2).bytes


def fact(sequence: int, *, subject: bytes = TICKET, topic: str = "created") -> Outgoing:
    return Outgoing(topic, b"key", b"{}", [], ("acme", subject, sequence))


def key(sequence: int, *, subject: bytes = TICKET) -> FactKey:
    return FactKey("acme", subject, sequence)


def claims(facts: Sequence[int], *, length: int = 0) -> list[Claim]:
    return [Claim(number, count, 0, length, 0.0) for number, count in enumerate(facts)]


def test_a_round_takes_the_first_rows_up_to_its_limit() -> None:
    assert bounded([]) == []
    assert len(bounded(claims([MOST_FACTS // 5] * 9))) == 5
    assert len(bounded(claims([1] * 9, length=MOST_BYTES // 3))) == 3


def test_a_round_takes_one_row_however_large() -> None:
    assert len(bounded(claims([MOST_FACTS * 10, 1]))) == 1
    assert len(bounded(claims([1, 1], length=MOST_BYTES * 10))) == 1


def test_a_refusal_holds_every_later_fact_of_its_ticket() -> None:
    facts = [fact(3), fact(4, topic="updated"), fact(1, subject=OTHER)]
    blocked = {("acme", TICKET): Block(behind_refusal=True, topics=frozenset())}
    assert part(facts, blocked) == ([facts[2]], [Hold(key(3), BEHIND), Hold(key(4), BEHIND)])


def test_a_missing_topic_holds_only_what_goes_there() -> None:
    facts = [fact(3), fact(4, topic="updated")]
    blocked = {("acme", TICKET): Block(behind_refusal=False, topics=frozenset({"updated"}))}
    assert part(facts, blocked) == ([facts[0]], [Hold(key(4), NO_TOPIC, "updated")])


def test_what_was_not_delivered_is_held_for_its_reason() -> None:
    delivered = Delivered(
        refused=[(fact(2), "too large")],
        behind=[fact(3)],
        missing=[fact(1, topic="updated"), fact(4, topic="updated")],
    )
    assert holds(delivered) == [
        Hold(key(2), "too large"),
        Hold(key(3), BEHIND),
        Hold(key(1), NO_TOPIC, "updated"),
        Hold(key(4), BEHIND),
    ]


def test_settlements_add_up() -> None:
    first = Settlement(outbox_ids=[1], held=[Hold(key(1), "no")])
    second = Settlement(outbox_ids=[2], released=[key(2)], refused={key(3): "no"})
    assert first.and_then(second) == Settlement(
        outbox_ids=[1, 2], held=[Hold(key(1), "no")], released=[key(2)], refused={key(3): "no"}
    )


@given(some.lists(some.integers(min_value=0, max_value=12 * 1024 * 1024), max_size=40))
def test_portions_of_dead_letters_keep_all_in_order_within_bounds(sizes: list[int]) -> None:
    letters = [(LetterKey("t", 0, offset, 0), size) for offset, size in enumerate(sizes)]
    cut = list(portions(letters))
    assert [key for portion in cut for key in portion] == [key for key, _ in letters]
    length = dict(letters)
    for portion in cut:
        assert len(portion) == 1 or sum(length[key] for key in portion) <= MOST_BYTES
