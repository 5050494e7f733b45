"""Each way in which the promise can break is planted once, and found."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from consumer.audit import Audit, Report
from consumer.evidence import (
    Arrival,
    Fact,
    Fate,
    Headers,
    Identity,
    Letter,
    PartyWord,
    Place,
    Rows,
    Ruling,
    Sent,
    SentLetter,
    Stretch,
    content_digest,
    expected_headers,
    value_digest,
)
from handlers.identity import fact_id, rejection_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NORTH = "north"
KEYS = [f"00000000-0000-5000-8000-00000000000{digit}" for digit in range(8)]
TICKET = "11111111-1111-5111-8111-111111111111"
CUSTOMER = "22222222-2222-4222-8222-222222222222"
TOPIC_OF = {
    "ticket.created": "ticket.created",
    "ticket.message_added": "ticket.updated",
    "ticket.status_changed": "ticket.updated",
    "ticket.rejected": "ticket.rejected",
}


def place(offset: int, topic: str = "ticket.requested") -> Place:
    return Place(topic, 0, offset, 1_000 + offset)


def request(offset: int, key: str) -> Arrival:
    return Arrival(place(offset), b"as it came", (NORTH, key))


def ruling(key: str, outcome: str, offset: int, code: str | None = None) -> Ruling:
    record = ("ticket.requested", 0, offset)
    return Ruling(NORTH, key, outcome, code, record, has_ticket=outcome == "created")


def fact(ce_type: str = "ticket.created", sequence: int = 1) -> Fact:
    return Fact(
        NORTH,
        TICKET,
        sequence,
        ce_type,
        TICKET,
        "TCK-111111111111",
        "req-1",
        None,
        NOW,
        value_digest(ce_type.encode()),
        (NORTH, str(sequence)),
        Fate.SENT,
    )


def rejection(key: str, offset: int) -> Fact:
    return fact("ticket.rejected", 0)._replace(
        subject_id=rejection_id(key, "ticket.requested", 0, offset),
        ticket_number=None,
        told=(NORTH, None),
    )


def headers_of(of: Fact) -> Headers:
    found = {name: value for name, value in expected_headers(of).items() if value is not None}
    return (*found.items(), ("ce_id", of.ce_id.encode()))


def sent(of: Fact, offset: int) -> Sent:
    where = place(offset, TOPIC_OF[of.ce_type])
    return Sent(where, of.ticket_id.encode(), of.digest, headers_of(of))


@dataclass
class Evidence:
    """All is well here: a ticket with two facts, a rejection, and one record of each outcome."""

    arrivals: list[Arrival] = field(
        default_factory=lambda: [
            request(0, KEYS[0]),
            request(1, KEYS[1]),
            request(2, KEYS[0]),
            Arrival(place(3), b"broken as it came"),
            request(4, KEYS[2]),
            Arrival(
                place(5, "customer.changed"),
                b"",
                party=PartyWord("customer", CUSTOMER, NOW, ends=False),
            ),
        ]
    )
    rulings: dict[str, Ruling] = field(
        default_factory=lambda: {
            KEYS[0]: ruling(KEYS[0], "created", 0),
            KEYS[1]: ruling(KEYS[1], "rejected", 1, "route_not_allowed"),
            KEYS[2]: ruling(KEYS[2], "parked", 4),
        }
    )
    letters: list[Letter] = field(
        default_factory=lambda: [Letter(place(3), b"broken as it came", "dead", Fate.SENT)]
    )
    rejected: set[str] = field(
        default_factory=lambda: {rejection_id(KEYS[1], "ticket.requested", 0, 1)}
    )
    parties: dict[tuple[str, str], datetime] = field(
        default_factory=lambda: {("customer", CUSTOMER): NOW}
    )
    facts: list[Fact] = field(
        default_factory=lambda: [
            fact(),
            fact("ticket.message_added", 2),
            fact("ticket.status_changed", 3),
            rejection(KEYS[1], 1),
        ]
    )
    sent: list[Sent] = field(
        default_factory=lambda: [
            sent(fact(), 0),
            sent(fact("ticket.message_added", 2), 0),
            sent(fact("ticket.status_changed", 3), 1),
            sent(fact("ticket.message_added", 2), 2),
            sent(rejection(KEYS[1], 1), 0),
        ]
    )
    sent_letters: list[SentLetter] = field(
        default_factory=lambda: [
            SentLetter(place(0, "ticket.requested.dlq"), place(3), b"broken as it came")
        ]
    )

    def report(self) -> Report:
        audit = Audit(TOPIC_OF)
        rows = Rows(
            list(self.rulings.values()), self.letters, frozenset(self.rejected), self.parties
        )
        audit.arrived(self.arrivals, Stretch("ticket.requested", 0, 0, 9), rows)
        audit.committed(self.facts)
        audit.sent(self.sent)
        audit.sent_letters(self.sent_letters)
        return audit.report()


def test_where_all_is_well_everything_is_counted() -> None:
    report = Evidence().report()
    assert report.holds
    assert report == Report(
        records=6,
        outcomes={
            "created": 1,
            "rejected": 1,
            "duplicate": 1,
            "dead_lettered": 1,
            "parked": 1,
            "applied": 1,
        },
        tickets=1,
        tickets_published=1,
        facts=4,
        published=4,
        repeated=1,
        dead_letters=1,
        kept=0,
        waiting={"unread": 0, "parked": 1, "facts": 0, "dead_letters": 0},
        violations=(),
    )
    assert not report.is_at_rest


def lose_the_request(evidence: Evidence) -> None:
    del evidence.rulings[KEYS[2]]


def lose_the_rejection(evidence: Evidence) -> None:
    evidence.rejected.clear()


def lose_the_broken_record(evidence: Evidence) -> None:
    evidence.letters.clear()
    evidence.sent_letters.clear()


def lose_the_customer(evidence: Evidence) -> None:
    evidence.parties.clear()


def keep_an_older_customer(evidence: Evidence) -> None:
    evidence.parties["customer", CUSTOMER] = datetime(2026, 2, 1, tzinfo=UTC)


def reject_another_record_only(evidence: Evidence) -> None:
    evidence.arrivals.append(request(6, KEYS[1]))


def create_and_reject(evidence: Evidence) -> None:
    evidence.rejected.add(rejection_id(KEYS[0], "ticket.requested", 0, 0))


def create_and_bury(evidence: Evidence) -> None:
    evidence.letters.append(Letter(place(0), b"as it came", "dead", Fate.KEPT))


def open_no_ticket(evidence: Evidence) -> None:
    evidence.rulings[KEYS[0]] = evidence.rulings[KEYS[0]]._replace(has_ticket=False)


def decide_what_was_aborted(evidence: Evidence) -> None:
    evidence.rulings[KEYS[3]] = ruling(KEYS[3], "created", 7)


def decide_one_record_as_another(evidence: Evidence) -> None:
    evidence.rulings[KEYS[3]] = ruling(KEYS[3], "created", 3)


def bury_what_was_aborted(evidence: Evidence) -> None:
    evidence.letters.append(Letter(place(8), b"", "dead", Fate.KEPT))


def keep_other_bytes(evidence: Evidence) -> None:
    evidence.letters = [evidence.letters[0]._replace(digest=b"other")]
    evidence.sent_letters = [evidence.sent_letters[0]._replace(digest=b"other")]


def pass_on_other_bytes(evidence: Evidence) -> None:
    evidence.sent_letters = [evidence.sent_letters[0]._replace(digest=b"other")]


def pass_on_nothing(evidence: Evidence) -> None:
    evidence.sent_letters.clear()


def pass_on_what_is_not_dead(evidence: Evidence) -> None:
    evidence.sent_letters.append(SentLetter(place(1, "ticket.requested.dlq"), place(0), b""))


def pass_on_without_origin(evidence: Evidence) -> None:
    evidence.sent_letters.append(SentLetter(place(1, "ticket.requested.dlq"), None, b""))


def publish_nothing(evidence: Evidence) -> None:
    del evidence.sent[0]


def publish_a_stranger(evidence: Evidence) -> None:
    evidence.sent.append(sent(fact("ticket.status_changed", 9), 3))


def publish_without_id(evidence: Evidence) -> None:
    evidence.sent.append(sent(fact(), 3)._replace(headers=()))


def publish_another_value(evidence: Evidence) -> None:
    evidence.sent[0] = evidence.sent[0]._replace(digest=b"other")


def publish_elsewhere(evidence: Evidence) -> None:
    evidence.sent[0] = evidence.sent[0]._replace(place=place(0, "ticket.rejected"))


def publish_under_another_key(evidence: Evidence) -> None:
    evidence.sent[0] = evidence.sent[0]._replace(key=b"other")


def publish_for_another_tenant(evidence: Evidence) -> None:
    theirs = ("ce_tenantid", b"south")
    ours = tuple(pair for pair in evidence.sent[0].headers if pair[0] != "ce_tenantid")
    evidence.sent[0] = evidence.sent[0]._replace(headers=(*ours, theirs))


def number_a_rejection(evidence: Evidence) -> None:
    numbered = (*evidence.sent[4].headers, ("ce_sequence", b"1"))
    evidence.sent[4] = evidence.sent[4]._replace(headers=numbered)


def speak_of_another_tenant(evidence: Evidence) -> None:
    evidence.facts[0] = evidence.facts[0]._replace(told=("south", "1"))


def speak_of_another_sequence(evidence: Evidence) -> None:
    evidence.facts[0] = evidence.facts[0]._replace(told=(NORTH, "2"))


def overtake(evidence: Evidence) -> None:
    evidence.sent[1:3] = [
        sent(fact("ticket.status_changed", 3), 0),
        sent(fact("ticket.message_added", 2), 1),
    ]


CREATED = f"ticket.created {fact_id(TICKET, 1)} (ticket {TICKET}, sequence 1)"
ADDED = f"ticket.message_added {fact_id(TICKET, 2)} (ticket {TICKET}, sequence 2)"
REJECTED = (
    f"ticket.rejected {rejection_id(KEYS[1], 'ticket.requested', 0, 1)} "
    f"(ticket {TICKET}, sequence 0)"
)
SHOWN = "ticket.created:0:0 publishes " + CREATED

PLANTED: list[tuple[Callable[[Evidence], None], str]] = [
    (lose_the_request, "ticket.requested:0:4 has no recorded outcome."),
    (lose_the_rejection, "ticket.requested:0:1 has no recorded outcome."),
    (lose_the_broken_record, "ticket.requested:0:3 has no recorded outcome."),
    (lose_the_customer, "customer.changed:0:5 has no recorded outcome."),
    (keep_an_older_customer, "customer.changed:0:5 has no recorded outcome."),
    (reject_another_record_only, "ticket.requested:0:6 has no recorded outcome."),
    (create_and_reject, "ticket.requested:0:0 has 2 outcomes: created, rejected."),
    (create_and_bury, "ticket.requested:0:0 has 2 outcomes: dead_lettered, created."),
    (open_no_ticket, "ticket.requested:0:0 is on record as created, but there is no ticket."),
    (
        decide_what_was_aborted,
        "ticket.requested:0:7 is on record as created, but it is no such record.",
    ),
    (
        decide_one_record_as_another,
        "ticket.requested:0:3 is on record as created, but it is no such record.",
    ),
    (
        bury_what_was_aborted,
        "ticket.requested:0:8 is on record as a dead letter, but it is no such record.",
    ),
    (keep_other_bytes, "ticket.requested:0:3 is kept as a dead letter with other bytes."),
    (
        pass_on_other_bytes,
        "ticket.requested.dlq:0:0 carries ticket.requested:0:3 with other bytes.",
    ),
    (pass_on_nothing, "ticket.requested:0:3 is a dead letter that never reached its topic."),
    (
        pass_on_what_is_not_dead,
        "ticket.requested.dlq:0:1 is a dead letter that is not in the database.",
    ),
    (
        pass_on_without_origin,
        "ticket.requested.dlq:0:1 is a dead letter that is not in the database.",
    ),
    (publish_nothing, f"{CREATED} was never published."),
    (
        publish_a_stranger,
        f"ticket.updated:0:3 publishes '{fact_id(TICKET, 9)}', which is not in the database.",
    ),
    (publish_without_id, "ticket.created:0:3 publishes '', which is not in the database."),
    (publish_another_value, f"{SHOWN} with another value than the one committed."),
    (
        publish_elsewhere,
        f"ticket.rejected:0:0 publishes {CREATED} on a topic of another kind.",
    ),
    (publish_under_another_key, f"{SHOWN} under the key b'other'."),
    (publish_for_another_tenant, f"{SHOWN} with ce_tenantid b'south' instead of b'north'."),
    (
        number_a_rejection,
        f"ticket.rejected:0:0 publishes {REJECTED} with ce_sequence b'1' instead of None.",
    ),
    (
        speak_of_another_tenant,
        f"{CREATED} speaks of tenant and sequence ('south', '1'), not of ('north', '1').",
    ),
    (
        speak_of_another_sequence,
        f"{CREATED} speaks of tenant and sequence ('north', '2'), not of ('north', '1').",
    ),
    (overtake, f"ticket.updated:0:1 is the first occurrence of {ADDED}, but 3 came before it."),
]


@pytest.mark.parametrize(("plant", "sentence"), PLANTED, ids=[each.__name__ for each, _ in PLANTED])
def test_a_planted_violation_is_found(plant: Callable[[Evidence], None], sentence: str) -> None:
    evidence = Evidence()
    plant(evidence)
    report = evidence.report()
    assert not report.holds
    assert report.violations == (sentence,)


def test_what_came_while_a_request_was_parked_is_a_duplicate() -> None:
    evidence = Evidence()
    evidence.arrivals.append(request(6, KEYS[2]))
    assert evidence.report().outcomes["duplicate"] == 2
    evidence.rulings[KEYS[2]] = ruling(KEYS[2], "rejected", 4, "customer_not_found")
    evidence.rejected.add(rejection_id(KEYS[2], "ticket.requested", 0, 4))
    report = evidence.report()
    assert report.holds
    assert report.outcomes["duplicate"] == 2


def test_a_rejected_record_keeps_its_outcome_when_another_is_accepted() -> None:
    evidence = Evidence()
    evidence.arrivals.append(request(6, KEYS[1]))
    evidence.rulings[KEYS[1]] = ruling(KEYS[1], "created", 6)
    report = evidence.report()
    assert report.holds
    assert (report.outcomes["rejected"], report.outcomes["created"]) == (1, 2)


def test_a_dead_letter_that_was_handled_again_has_the_new_outcome() -> None:
    evidence = Evidence()
    evidence.arrivals[3] = evidence.arrivals[3]._replace(identity=(NORTH, KEYS[4]))
    evidence.letters[0] = evidence.letters[0]._replace(state="redriven")
    evidence.rulings[KEYS[4]] = ruling(KEYS[4], "created", 3)
    report = evidence.report()
    assert report.holds
    assert report.outcomes["created"] == 2


def test_a_tombstone_of_an_unknown_customer_needs_no_row() -> None:
    evidence = Evidence()
    word = PartyWord("customer", KEYS[5], NOW, ends=True)
    evidence.arrivals.append(Arrival(place(6, "customer.changed"), b"", party=word))
    assert evidence.report().outcomes["applied"] == 2


def test_what_waits_in_the_outbox_or_is_held_is_no_violation() -> None:
    evidence = Evidence()
    evidence.facts[1] = evidence.facts[1]._replace(fate=Fate.WAITING)
    evidence.facts[2] = evidence.facts[2]._replace(fate=Fate.KEPT)
    evidence.letters[0] = evidence.letters[0]._replace(fate=Fate.WAITING)
    del evidence.sent[1:4], evidence.sent_letters[:]
    report = evidence.report()
    assert report.holds
    assert report.kept == 1
    assert report.waiting == {"unread": 0, "parked": 1, "facts": 1, "dead_letters": 1}


def test_what_was_published_after_the_database_was_read_is_not_judged() -> None:
    evidence = Evidence()
    late = sent(fact("ticket.status_changed", 9), 3)._replace(is_early=False)
    evidence.sent.append(late)
    letter = SentLetter(place(1, "ticket.requested.dlq"), place(9), b"", is_early=False)
    evidence.sent_letters.append(letter)
    assert evidence.report().holds


def test_a_republished_fact_may_come_at_any_time_but_must_be_the_same() -> None:
    evidence = Evidence()
    replayed = (*headers_of(fact()), ("ce_replayed", b"true"))
    evidence.sent.insert(
        0,
        sent(fact("ticket.status_changed", 3), 0)._replace(
            headers=(*headers_of(fact("ticket.status_changed", 3)), ("ce_replayed", b"true"))
        ),
    )
    assert evidence.report().violations == ()
    evidence.sent.append(sent(fact(), 5)._replace(headers=replayed, digest=b"other"))
    assert len(evidence.report().violations) == 1


def test_facts_of_different_tickets_and_topics_have_no_order() -> None:
    evidence = Evidence()
    evidence.sent.reverse()
    evidence.sent = sorted(evidence.sent, key=lambda each: each.place.topic, reverse=True)
    assert [each.place.topic for each in evidence.sent][:3] == ["ticket.updated"] * 3
    evidence.sent[:3] = sorted(evidence.sent[:3], key=lambda each: each.place.offset)
    assert evidence.report().holds


def test_digests_tell_every_part_of_a_record_apart() -> None:
    different = {
        content_digest(None, None, ()),
        content_digest(b"", None, ()),
        content_digest(None, b"", ()),
        content_digest(b"a", b"b", ()),
        content_digest(b"ab", b"", ()),
        content_digest(b"a", b"b", (("c", None),)),
        content_digest(b"a", b"b", (("c", b""),)),
        content_digest(b"a", b"b", (("c", b""), ("c", b""))),
    }
    assert len(different) == 8


def test_an_identity_is_one_tenants() -> None:
    evidence = Evidence()
    theirs: Identity = ("south", KEYS[0])
    evidence.arrivals.append(replace_identity(request(6, KEYS[0]), theirs))
    assert evidence.report().violations == ("ticket.requested:0:6 has no recorded outcome.",)


def replace_identity(arrival: Arrival, identity: Identity) -> Arrival:
    return arrival._replace(identity=identity)
