"""A subscriber counts distinct facts, repetitions and disorder."""

from benchmarks.subscriber import Seen


def headers(fact: str, *, cause: str, sequence: int) -> dict[str, bytes]:
    return {
        "ce_id": fact.encode(),
        "ce_causationid": cause.encode(),
        "ce_sequence": str(sequence).encode(),
    }


def test_a_repeated_fact_counts_once_and_breaks_no_order() -> None:
    seen = Seen()
    for fact, sequence in (("a1", 1), ("a2", 2), ("a1", 1)):
        seen.add("ticket.updated", b"a", headers(fact, cause=fact, sequence=sequence))
    assert (seen.records, len(seen.fact_ids), seen.repeated, seen.out_of_order) == (3, 2, 1, 0)


def test_a_first_occurrence_below_the_highest_sequence_is_out_of_order() -> None:
    seen = Seen()
    seen.add("ticket.updated", b"a", headers("a2", cause="2", sequence=2))
    seen.add("ticket.updated", b"a", headers("a1", cause="1", sequence=1))
    assert seen.out_of_order == 1


def test_order_is_judged_for_each_ticket_and_topic_alone() -> None:
    seen = Seen()
    seen.add("ticket.updated", b"a", headers("a2", cause="2", sequence=2))
    seen.add("ticket.updated", b"b", headers("b1", cause="3", sequence=1))
    seen.add("ticket.created", b"a", headers("a1", cause="1", sequence=1))
    assert seen.out_of_order == 0


def test_two_tickets_for_one_request_are_seen() -> None:
    seen = Seen()
    seen.add("ticket.created", b"a", headers("a1", cause="same", sequence=1))
    seen.add("ticket.created", b"b", headers("b1", cause="same", sequence=1))
    assert (len(seen.fact_ids), len(seen.causes)) == (2, 1)
