"""Each way in which the promise can break is planted once, and found."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition

from consumer.audit import EVER, Audit, Report
from consumer.breach import Breach, Violation
from consumer.evidence import (
    Arrival,
    Fact,
    Fate,
    Headers,
    Identity,
    Letter,
    PartyRow,
    PartyWord,
    Place,
    Retry,
    Rows,
    Ruling,
    Sent,
    SentLetter,
    Stretch,
    Told,
    content_digest,
    expected_headers,
    value_digest,
)
from consumer.losses import Jump, Losses, pending, sum_up
from consumer.published import Published
from handlers.identity import fact_id, rejection_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
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


def place(offset: int, topic: str = "ticket.requested", *, at: datetime = NOW - HOUR) -> Place:
    return Place(topic, 0, offset, int(at.timestamp() * 1000) + offset)


def request(offset: int, key: str) -> Arrival:
    return Arrival(place(offset), b"as it came", (NORTH, key))


def ruling(key: str, outcome: str, offset: int, at: datetime = NOW) -> Ruling:
    record = ("ticket.requested", 0, offset)
    has_ticket = outcome in {"created", "changed", "unchanged"}
    return Ruling(NORTH, key, outcome, record, has_ticket, at)


def dead(offset: int, digest: bytes = b"as it came", state: str = "dead") -> Letter:
    return Letter(place(offset), digest, state, Fate.SENT, NORTH, NOW)


def told(of: Fact) -> Told:
    """What its data speaks of, as it should be."""
    return Told(of.tenant_id, of.ticket_id, str(of.sequence) if of.sequence else None)


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
        Fate.SENT,
    )


def rejection(key: str, offset: int) -> Fact:
    return fact("ticket.rejected", 0)._replace(
        subject_id=rejection_id(key, "ticket.requested", 0, offset),
        ticket_number=None,
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
                party=PartyWord("customer", CUSTOMER, NOW, ends=False, tenant_id=NORTH),
            ),
        ]
    )
    rulings: dict[str, Ruling] = field(
        default_factory=lambda: {
            KEYS[0]: ruling(KEYS[0], "created", 0),
            KEYS[1]: ruling(KEYS[1], "rejected", 1),
            KEYS[2]: ruling(KEYS[2], "parked", 4),
        }
    )
    letters: list[Letter] = field(default_factory=lambda: [dead(3, b"broken as it came")])
    rejected: dict[str, datetime] = field(
        default_factory=lambda: {rejection_id(KEYS[1], "ticket.requested", 0, 1): NOW}
    )
    parties: dict[tuple[str, str], PartyRow] = field(
        default_factory=lambda: {("customer", CUSTOMER): PartyRow(NORTH, NOW)}
    )
    unknown_until: dict[Identity, datetime] = field(default_factory=dict)
    retries: list[Retry] = field(default_factory=list)
    tenant: str | None = None
    begun_at: datetime | None = None
    kept_since: dict[str, datetime] = field(default_factory=dict)
    begins: bool = False
    forgotten_before: datetime = EVER
    told: dict[str, Told] = field(default_factory=dict)
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
        published = Published(TOPIC_OF, self.begins, self.kept_since)
        audit = Audit(
            published,
            now=NOW + HOUR,
            retries=self.retries,
            forgotten_before=self.forgotten_before,
        )
        rows = Rows(list(self.rulings.values()), self.letters, self.rejected, self.parties)
        stretch = Stretch("ticket.requested", 0, 0, 9, self.begun_at)
        audit.arrived(self.arrivals, stretch, rows, self.tenant)
        audit.settle(self.unknown_until)
        published.committed((each, self.told.get(each.ce_id, told(each))) for each in self.facts)
        published.sent(self.sent)
        audit.violations += [
            Violation(Breach.GAP, f"there is no fact {gap.sequence}") for gap in published.gaps()
        ]
        audit.sent_letters(self.sent_letters)
        return audit.report(letters_kept_since=self.kept_since)


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
    evidence.parties["customer", CUSTOMER] = PartyRow(NORTH, datetime(2026, 2, 1, tzinfo=UTC))


def reject_another_record_only(evidence: Evidence) -> None:
    evidence.arrivals.append(request(6, KEYS[1]))


def create_and_reject(evidence: Evidence) -> None:
    evidence.rejected[rejection_id(KEYS[0], "ticket.requested", 0, 0)] = NOW - HOUR


def create_and_bury(evidence: Evidence) -> None:
    evidence.letters.append(dead(0)._replace(fate=Fate.KEPT))


def open_no_ticket(evidence: Evidence) -> None:
    evidence.rulings[KEYS[0]] = evidence.rulings[KEYS[0]]._replace(has_ticket=False)


def decide_what_was_aborted(evidence: Evidence) -> None:
    evidence.rulings[KEYS[3]] = ruling(KEYS[3], "created", 7)


def decide_one_record_as_another(evidence: Evidence) -> None:
    evidence.rulings[KEYS[3]] = ruling(KEYS[3], "created", 3)


def bury_what_was_aborted(evidence: Evidence) -> None:
    evidence.letters.append(dead(8)._replace(fate=Fate.KEPT))


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
    evidence.told[evidence.facts[0].ce_id] = Told("south", TICKET, "1")


def speak_of_another_sequence(evidence: Evidence) -> None:
    evidence.told[evidence.facts[0].ce_id] = Told(NORTH, TICKET, "2")


def speak_of_another_ticket(evidence: Evidence) -> None:
    evidence.told[evidence.facts[0].ce_id] = Told(NORTH, CUSTOMER, "1")


def republish_only(evidence: Evidence) -> None:
    first = evidence.sent[0]
    evidence.sent[0] = first._replace(headers=(*first.headers, ("ce_replayed", b"true")))


def mark_wrongly(evidence: Evidence) -> None:
    repeat = sent(fact(), 3)
    evidence.sent.append(repeat._replace(headers=(*repeat.headers, ("ce_replayed", b"yes"))))


def repeat_with_another_value(evidence: Evidence) -> None:
    evidence.sent.append(sent(fact(), 3)._replace(digest=b"other"))


def repeat_with_a_header_more(evidence: Evidence) -> None:
    repeat = sent(fact(), 3)
    evidence.sent.append(repeat._replace(headers=(*repeat.headers, ("extra", b"1"))))


def repeat_a_header(evidence: Evidence) -> None:
    repeat = sent(fact(), 3)
    evidence.sent.append(
        repeat._replace(headers=(*repeat.headers, ("ce_id", fact().ce_id.encode())))
    )


def leave_a_number_out(evidence: Evidence) -> None:
    """Neither in the database nor on a topic, so that no fact misses anything."""
    del evidence.facts[1]
    del evidence.sent[3], evidence.sent[1]


def keep_the_customer_for_another_tenant(evidence: Evidence) -> None:
    evidence.parties["customer", CUSTOMER] = PartyRow("south", NOW)


def decide_for_another_tenant(evidence: Evidence) -> None:
    evidence.tenant = NORTH
    evidence.rulings[KEYS[3]] = ruling(KEYS[3], "created", 3)._replace(tenant_id="south")


def bury_for_another_tenant(evidence: Evidence) -> None:
    evidence.tenant = NORTH
    evidence.letters = [evidence.letters[0]._replace(tenant_id="south")]


def lose_what_came_after_an_unknown_customer(evidence: Evidence) -> None:
    evidence.rulings[KEYS[2]] = ruling(KEYS[2], "rejected", 4, NOW - 3 * HOUR)
    evidence.rejected[rejection_id(KEYS[2], "ticket.requested", 0, 4)] = NOW - 3 * HOUR
    evidence.unknown_until[NORTH, KEYS[2]] = NOW - 3 * HOUR
    evidence.arrivals.append(request(6, KEYS[2]))


def redrive_to_nowhere(evidence: Evidence) -> None:
    again(evidence, "redriven", "created")


def redrive_to_something_else(evidence: Evidence) -> None:
    again(evidence, "redriven", "rejected")
    evidence.rulings[KEYS[4]] = ruling(KEYS[4], "created", 3)


def resolve_as_a_duplicate_of_nothing(evidence: Evidence) -> None:
    again(evidence, "resolved_by_replay", "duplicate")


def redrive_twice(evidence: Evidence) -> None:
    again(evidence, "redriven", "created")
    evidence.rulings[KEYS[4]] = ruling(KEYS[4], "created", 3)
    evidence.rejected[rejection_id(KEYS[4], "ticket.requested", 0, 3)] = NOW


def discard_what_was_created(evidence: Evidence) -> None:
    again(evidence, "discarded", None)
    evidence.rulings[KEYS[4]] = ruling(KEYS[4], "created", 3)


def decide_anew_without_a_replay(evidence: Evidence) -> None:
    evidence.rulings[KEYS[1]] = ruling(KEYS[1], "created", 1, NOW + timedelta(minutes=1))
    evidence.retries.append(Retry(NOW + timedelta(minutes=2), None))


def again(evidence: Evidence, state: str, outcome: str | None) -> None:
    """The dead letter at offset 3, a readable record by now, after somebody handled it again."""
    evidence.arrivals[3] = evidence.arrivals[3]._replace(identity=(NORTH, KEYS[4]))
    evidence.letters = [evidence.letters[0]._replace(state=state, outcome=outcome)]


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

LATER = f"ticket.created:0:3 publishes {CREATED}"
KEPT_AS_SOUTHS = "but it is kept as one of tenant south"
CAME_TO_NORTH = "ticket.requested:0:3 came on a topic of tenant north"
AGAIN = "ticket.requested:0:3 is on record as"
BUT = "but other rows say"

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
        f"{CREATED} of tenant north speaks of tenant south in its data.",
    ),
    (
        speak_of_another_sequence,
        f"{CREATED} of tenant north speaks of sequence 2 in its data.",
    ),
    (
        speak_of_another_ticket,
        f"{CREATED} of tenant north speaks of ticket {CUSTOMER} in its data.",
    ),
    (republish_only, f"{CREATED} was only ever sent again (ce_replayed), never published."),
    (mark_wrongly, f"{LATER} with ce_replayed b'yes', which is not a mark."),
    (repeat_with_another_value, f"{LATER} with another value than the one committed."),
    (repeat_with_a_header_more, f"{LATER} with a header extra of b'1'."),
    (repeat_a_header, f"{LATER} with 2 headers ce_id."),
    (leave_a_number_out, "there is no fact 2"),
    (
        keep_the_customer_for_another_tenant,
        f"customer.changed:0:5 announces customer {CUSTOMER} of tenant north, {KEPT_AS_SOUTHS}.",
    ),
    (
        decide_for_another_tenant,
        f"{CAME_TO_NORTH}, but is on record as created for tenant south.",
    ),
    (
        bury_for_another_tenant,
        f"{CAME_TO_NORTH}, but is kept as a dead letter of tenant south.",
    ),
    (
        lose_what_came_after_an_unknown_customer,
        "ticket.requested:0:6 has no recorded outcome.",
    ),
    (redrive_to_nowhere, f"{AGAIN} redriven with the outcome created, {BUT} nothing of it."),
    (
        redrive_to_something_else,
        f"{AGAIN} redriven with the outcome rejected, {BUT} created of it.",
    ),
    (
        resolve_as_a_duplicate_of_nothing,
        f"{AGAIN} resolved_by_replay with the outcome duplicate, {BUT} nothing of it.",
    ),
    (redrive_twice, "ticket.requested:0:3 has 2 outcomes: created, rejected."),
    (discard_what_was_created, "ticket.requested:0:3 has 2 outcomes: dead_lettered, created."),
    (decide_anew_without_a_replay, "ticket.requested:0:1 has 2 outcomes: created, rejected."),
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
    evidence.rulings[KEYS[2]] = ruling(KEYS[2], "rejected", 4)
    evidence.rejected[rejection_id(KEYS[2], "ticket.requested", 0, 4)] = NOW
    evidence.unknown_until[NORTH, KEYS[2]] = NOW
    report = evidence.report()
    assert report.holds
    assert report.outcomes["duplicate"] == 2


def test_it_stays_one_when_the_next_record_is_rejected_for_another_reason() -> None:
    evidence = Evidence()
    evidence.arrivals += [request(6, KEYS[2]), request(7, KEYS[2])]
    evidence.rulings[KEYS[2]] = ruling(KEYS[2], "rejected", 7)
    for offset in (4, 7):
        evidence.rejected[rejection_id(KEYS[2], "ticket.requested", 0, offset)] = NOW
    evidence.unknown_until[NORTH, KEYS[2]] = NOW
    report = evidence.report()
    assert report.holds
    assert (report.outcomes["duplicate"], report.outcomes["rejected"]) == (2, 3)


def test_clocks_that_differ_and_times_ahead_of_now_accuse_nobody() -> None:
    evidence = Evidence()
    lose_what_came_after_an_unknown_customer(evidence)
    rejected_ms = int((NOW - 3 * HOUR).timestamp() * 1000)
    for milliseconds in (rejected_ms + 59_000, rejected_ms + 5 * 3_600_000, 10**18, -1):
        where = place(6)._replace(timestamp=milliseconds)
        evidence.arrivals[-1] = evidence.arrivals[-1]._replace(place=where)
        assert evidence.report().holds


def test_a_rejected_record_keeps_its_outcome_when_another_is_accepted() -> None:
    evidence = Evidence()
    evidence.arrivals.append(request(6, KEYS[1]))
    evidence.rulings[KEYS[1]] = ruling(KEYS[1], "created", 6)
    report = evidence.report()
    assert report.holds
    assert (report.outcomes["rejected"], report.outcomes["created"]) == (1, 2)


HANDLED_AGAIN = [
    ("redriven", "created", "created", "created"),
    ("redriven", "changed", "changed", "changed"),
    ("redriven", "unchanged", "unchanged", "unchanged"),
    ("redriven", "parked", "parked", "parked"),
    ("redriven", "parked", "created", "created"),
    ("resolved_by_replay", "created", "created", "created"),
]


@pytest.mark.parametrize(("state", "outcome", "on_record", "counted"), HANDLED_AGAIN)
def test_a_dead_letter_that_lives_again_has_its_new_outcome_and_counts_once(
    state: str, outcome: str, on_record: str, counted: str
) -> None:
    evidence = Evidence()
    again(evidence, state, outcome)
    evidence.rulings[KEYS[4]] = ruling(KEYS[4], on_record, 3)
    before, report = Evidence().report(), evidence.report()
    assert report.violations == ()
    assert report.records == before.records
    assert report.outcomes.get("dead_lettered", 0) == 0
    assert report.outcomes[counted] == before.outcomes.get(counted, 0) + 1
    assert report.dead_letters == 1


@pytest.mark.parametrize("state", ["dead", "failed_again", "discarded"])
def test_a_dead_letter_in_any_other_state_stays_one(state: str) -> None:
    evidence = Evidence()
    again(evidence, state, None)
    report = evidence.report()
    assert report.violations == ()
    assert report.outcomes["dead_lettered"] == 1


@pytest.mark.parametrize("outcome", ["rejected", "parked"])
def test_a_dead_letter_that_is_refused_or_parked_and_then_refused_is_rejected(outcome: str) -> None:
    evidence = Evidence()
    again(evidence, "redriven", outcome)
    evidence.rulings[KEYS[4]] = ruling(KEYS[4], "rejected", 3)
    evidence.rejected[rejection_id(KEYS[4], "ticket.requested", 0, 3)] = NOW
    report = evidence.report()
    assert report.violations == ()
    assert report.outcomes["rejected"] == 2


def test_a_dead_letter_may_turn_out_to_be_a_duplicate() -> None:
    evidence = Evidence()
    evidence.arrivals[3] = evidence.arrivals[3]._replace(identity=(NORTH, KEYS[0]))
    evidence.letters = [evidence.letters[0]._replace(state="redriven", outcome="duplicate")]
    report = evidence.report()
    assert report.violations == ()
    assert report.outcomes["duplicate"] == 2


@pytest.mark.parametrize("is_readable", [True, False])
def test_an_edited_dead_letter_may_be_somebody_else(is_readable: bool) -> None:  # noqa: FBT001
    evidence = Evidence()
    again(evidence, "redriven", "created")
    if not is_readable:
        evidence.arrivals[3] = evidence.arrivals[3]._replace(identity=None)
    edited = evidence.arrivals[3]._replace(identity=("south", KEYS[5]))
    evidence.letters = [evidence.letters[0]._replace(edited=edited)]
    evidence.rulings[KEYS[5]] = ruling(KEYS[5], "created", 3)._replace(tenant_id="south")
    report = evidence.report()
    assert report.violations == ()
    assert report.outcomes["created"] == 2


def test_an_edit_is_no_excuse_for_a_third_identity() -> None:
    evidence = Evidence()
    again(evidence, "redriven", "created")
    edited = evidence.arrivals[3]._replace(identity=(NORTH, KEYS[5]))
    evidence.letters = [evidence.letters[0]._replace(edited=edited)]
    evidence.rulings[KEYS[4]] = ruling(KEYS[4], "created", 3)
    assert [each.kind for each in evidence.report().found] == [
        Breach.NOT_BORNE_OUT,
        Breach.NO_SUCH_RECORD,
    ]


def test_a_dead_letter_that_was_unreadable_for_us_too_is_found_by_its_record() -> None:
    """As a record that only a newer version can read."""
    evidence = Evidence()
    again(evidence, "redriven", "created")
    evidence.arrivals[3] = evidence.arrivals[3]._replace(identity=None)
    evidence.rulings[KEYS[4]] = ruling(KEYS[4], "created", 3)
    assert evidence.report().violations == ()


def test_a_record_that_is_unreadable_by_now_keeps_what_it_became() -> None:
    """As after a lower limit of its size."""
    evidence = Evidence()
    evidence.arrivals[0] = evidence.arrivals[0]._replace(identity=None)
    report = evidence.report()
    assert report.violations == ()
    assert report.outcomes["created"] == 1


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_party_that_was_a_dead_letter_is_applied_once_it_lives(is_kept: bool) -> None:  # noqa: FBT001
    evidence = Evidence()
    word = PartyWord("customer", CUSTOMER, NOW, ends=False, tenant_id=NORTH)
    evidence.arrivals[3] = evidence.arrivals[3]._replace(party=word)
    evidence.letters = [evidence.letters[0]._replace(state="redriven", outcome="changed")]
    if not is_kept:
        evidence.parties["customer", CUSTOMER] = PartyRow(NORTH, NOW - HOUR)
        evidence.arrivals[5] = evidence.arrivals[5]._replace(party=word._replace(id=KEYS[6]))
        evidence.parties["customer", KEYS[6]] = PartyRow(NORTH, NOW)
    violations = evidence.report().found
    assert [each.kind for each in violations] == ([] if is_kept else [Breach.NOT_BORNE_OUT])


def test_what_a_replay_decided_anew_has_the_newer_outcome() -> None:
    evidence = Evidence()
    evidence.rulings[KEYS[1]] = ruling(KEYS[1], "created", 1, NOW + timedelta(minutes=1))
    for finished_at in (None, NOW + timedelta(minutes=2)):
        evidence.retries = [Retry(NOW, finished_at)]
        report = evidence.report()
        assert report.violations == ()
        assert (report.outcomes["created"], report.outcomes.get("rejected")) == (2, None)


def test_rows_about_a_topic_that_was_deleted_accuse_nobody() -> None:
    """The same offsets have other records since: they came after those rows were written."""
    evidence = Evidence()
    evidence.rulings[KEYS[3]] = ruling(KEYS[3], "created", 3, NOW - 2 * HOUR)
    evidence.rulings[KEYS[4]] = ruling(KEYS[4], "created", 7, NOW - 2 * HOUR)
    older = dead(2)._replace(place=place(2, at=NOW - 3 * HOUR), failed_at=NOW - 2 * HOUR)
    evidence.letters.append(older)
    evidence.begun_at = NOW - HOUR
    assert evidence.report().violations == ()


def test_letters_that_were_decided_about_and_removed_since_are_forgotten() -> None:
    evidence = Evidence()
    lose_the_broken_record(evidence)
    evidence.forgotten_before = NOW
    report = evidence.report()
    assert report.violations == ()
    assert report.outcomes["forgotten"] == 1


def test_a_topic_of_a_tenant_holds_its_outcomes() -> None:
    evidence = Evidence(tenant=NORTH)
    assert evidence.report().violations == ()


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
    assert evidence.report().repeated == 2
    evidence.sent.append(sent(fact(), 5)._replace(headers=replayed, digest=b"other"))
    assert len(evidence.report().violations) == 1


def test_a_fact_that_is_republished_before_its_turn_still_has_to_come_in_order() -> None:
    evidence = Evidence()
    overtake(evidence)
    early = sent(fact("ticket.message_added", 2), 0)
    evidence.sent.insert(0, early._replace(headers=(*early.headers, ("ce_replayed", b"true"))))
    assert [each.kind for each in evidence.report().found] == [Breach.OUT_OF_ORDER]


def test_what_retention_deleted_from_the_topics_is_told_and_not_judged() -> None:
    evidence = Evidence(kept_since=dict.fromkeys(TOPIC_OF.values(), NOW + HOUR))
    evidence.kept_since["ticket.requested"] = NOW + HOUR
    evidence.sent.clear()
    evidence.sent_letters.clear()
    report = evidence.report()
    assert report.violations == ()
    assert (report.expired, report.published) == (5, 0)


def test_numbers_before_the_window_are_no_gap() -> None:
    evidence = Evidence(begins=True)
    del evidence.facts[0], evidence.sent[0]
    assert evidence.report().violations == ()
    evidence.begins = False
    assert evidence.report().violations == ("there is no fact 1",)


MADE_ANEW = "which was no more: the topic was made anew or cut off"


def test_what_was_deleted_unread_is_a_loss_and_what_was_made_anew_a_remark() -> None:
    first, second = TopicPartition("t", 0), TopicPartition("t", 1)
    jumps = [
        Jump(first, 10, 25),
        Jump(first, 10, 30),
        Jump(first, 10, 25),
        Jump(first, 40, 41),
        Jump(second, 500, 0),
    ]
    assert sum_up(jumps) == Losses(
        21,
        (
            "20 records of t:0 (offsets 10 to 29) were deleted before the group had read them.",
            "1 record of t:0 (offsets 40 to 40) was deleted before the group had read it.",
        ),
        (f"The group stood at offset 500 of t:1, {MADE_ANEW}, and is read from offset 0.",),
    )
    report = Audit(Published(TOPIC_OF)).report(losses=sum_up(jumps))
    assert not report.holds
    assert (report.lost, report.violations) == (21, ())


def test_the_groups_own_position_tells_of_what_it_has_yet_to_meet() -> None:
    one, two, new = (TopicPartition("t", number) for number in range(3))
    assert pending({one: 3, two: 7}, {one: 5, two: 7, new: 9}) == [Jump(one, 3, 5)]


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
