"""`ticketing request`: validate without a server, publish for real, show what became of it."""

import json

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.integration.command import Command

CUSTOMER = "11111111-1111-4111-8111-111111111111"


def request(**fields: object) -> dict[str, object]:
    return {
        "request_id": "r-1",
        "tenant_id": "north",
        "customer_id": CUSTOMER,
        "title": "No internet",
        "description": "Since this morning.",
    } | fields


def lines(*documents: object) -> bytes:
    return b"".join(
        (each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n"
        for each in documents
    )


def customer(tenant_id: str = "north") -> dict[str, object]:
    return {"customer_id": CUSTOMER, "tenant_id": tenant_id, "updated_at": "2026-01-01T00:00:00Z"}


@pytest.fixture
def with_customer(command: Command) -> Command:
    command.handle(customer(), topic="customer.changed")
    return command


def test_a_verdict_for_each_line_names_the_field_and_the_accepted_form(command: Command) -> None:
    command.environment.clear()
    attachment = {"name": "log", "url": "https://files.example/1", "conten_type": "text/plain"}
    done = command(
        "request",
        "validate",
        "-",
        stdin=lines(
            request(),
            request(title="ab"),
            b"",
            request(titel="x", attachments=[attachment]),
            b"not json",
        ),
    )
    assert done.code == 1
    assert done.out.splitlines()[:5] == [
        "line 1: valid",
        "line 2: invalid: title: is 2 characters long; expected text of 3 to 255 characters",
        "line 4: valid",
        "  titel: unknown, ignored; did you mean title?",
        "  attachments[0].conten_type: unknown, ignored; did you mean attachments[0].content_type?",
    ]
    assert done.out.splitlines()[5].startswith("line 5: invalid: value: is not JSON")


def test_valid_requests_pass(command: Command) -> None:
    done = command("request", "validate", "-", "--json", stdin=lines(request()))
    assert (done.code, done.json["valid"]) == (0, True)


def test_requests_are_published_as_they_stand(kafka_command: Command) -> None:
    prefix = kafka_command.settings.topic_prefix
    kafka_command("topics", "--partitions", "1", "--replication-factor", "1")
    sent = lines(request(), b'{"customer_id":4711, "broken', {"no": "customer"})
    done = kafka_command("request", "publish", "-", "--json", stdin=sent)
    assert done.code == 0
    assert done.err == f"Published 3 requests to {prefix}ticket.requested.\n"
    assert [json.loads(line)["record"] for line in done.out.splitlines()] == [
        f"{prefix}ticket.requested:0:{offset}" for offset in range(3)
    ]
    reader = Consumer(
        {
            "bootstrap.servers": kafka_command.environment["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": f"{prefix}reader",
        }
    )
    reader.assign([TopicPartition(f"{prefix}ticket.requested", 0, 0)])
    records = reader.consume(3, timeout=30)
    reader.close()
    assert [record.value() for record in records] == sent.splitlines()
    assert [record.key() for record in records] == [CUSTOMER.encode(), None, None]


def test_a_topic_that_is_missing_is_named(kafka_command: Command) -> None:
    done = kafka_command("request", "publish", "-", stdin=lines(request()))
    assert done.code == 1
    assert "does not exist; run `ticketing topics`" in done.err


def test_a_created_request_shows_its_ticket_and_facts(with_customer: Command) -> None:
    with_customer.handle(request())
    done = with_customer("request", "show", "--request-id", "r-1")
    assert done.code == 0
    assert done.page == [
        "outcome  created",
        "code  -",
        "why  -",
        "tenant  north",
        "record  ticket.requested:0:0",
        "decided  TIME (AGE)",
        "ticket  TCK-NUMBER",
        "",
        "Timeline",
        "  1  ticket.created, TIME (AGE), waiting",
        "     cause: r-1",
    ]
    with_customer.execute("DELETE FROM outbox")
    (story,) = with_customer("request", "show", "--request-id", "r-1", "--json").json
    assert story["outcome"] == "created"
    assert [fact["publication"] for fact in story["facts"]] == ["published"]
    assert story["ticket"]["ticket_number"].startswith("TCK-")


def test_a_record_without_an_id_is_named_as_the_cause(with_customer: Command) -> None:
    with_customer.handle(request(request_id=None), request(request_id=None, target_type="platform"))
    for offset, ce_type in enumerate(("ticket.created", "ticket.rejected")):
        place = f"ticket.requested:0:{offset}"
        page = with_customer("request", "show", "--record", place).page
        assert f"  {1 - offset}  {ce_type}, TIME (AGE), waiting" in page
        assert page[-1] == f"     cause: record {place}"
        (story,) = with_customer("request", "show", "--record", place, "--json").json
        (fact,) = story["facts"]
        assert (fact["causation_id"], fact["record"]) == (None, place)


def test_a_held_fact_says_why(with_customer: Command) -> None:
    with_customer.handle(request())
    with_customer.execute(
        "DELETE FROM outbox; INSERT INTO held_facts SELECT tenant_id, subject_id, sequence,"
        " 'The record is too large.', NULL, now() FROM ticket_facts"
    )
    (story,) = with_customer("request", "show", "--request-id", "r-1", "--json").json
    assert story["facts"][0]["publication"] == "held: The record is too large."


def test_a_rejection_says_its_code_and_message(with_customer: Command) -> None:
    with_customer.handle(request(target_type="platform"))
    (story,) = with_customer("request", "show", "--request-id", "r-1", "--json").json
    assert (story["outcome"], story["code"]) == ("rejected", "route_not_allowed")
    assert story["why"] == "Customer actors cannot open tickets targeting platform."
    assert [fact["ce_type"] for fact in story["facts"]] == ["ticket.rejected"]


def test_a_parked_request_says_what_it_waits_for(command: Command) -> None:
    command.handle(request())
    (story,) = command("request", "show", "--request-id", "r-1", "--json").json
    assert story["outcome"] == "parked"
    assert "waits for its customer" in story["why"]


def test_a_dead_letter_is_found_by_request_and_by_record(with_customer: Command) -> None:
    with_customer.handle(request(title="ab"))
    for arguments in (("--request-id", "r-1"), ("--record", "ticket.requested:0:0")):
        (story,) = with_customer("request", "show", *arguments, "--json").json
        assert story["outcome"] == "dead_lettered"
        assert story["why"].startswith("title: is 2 characters long")


def test_one_request_id_in_two_tenants_is_two_requests(command: Command) -> None:
    other = "22222222-2222-4222-8222-222222222222"
    command.handle(customer(), customer("south") | {"customer_id": other}, topic="customer.changed")
    command.handle(request(), request(tenant_id="south", customer_id=other))
    both = command("request", "show", "--request-id", "r-1", "--json").json
    assert sorted(story["tenant_id"] for story in both) == ["north", "south"]
    (one,) = command("request", "show", "--request-id", "r-1", "--tenant", "south", "--json").json
    assert one["tenant_id"] == "south"


def test_an_unknown_request_is_not_found(command: Command) -> None:
    done = command("request", "show", "--request-id", "nobody", "--tenant", "north")
    assert done.code == 1
    assert done.err == "Nothing is recorded about request nobody in tenant north.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Give one of --request-id and --record."),
        (["--request-id", "r", "--record", "t:0:0"], "Give one of --request-id and --record."),
        (["--record", "nonsense"], "'nonsense' is not a record; write TOPIC:PARTITION:OFFSET"),
    ],
)
def test_wrong_use_is_exit_code_2(command: Command, arguments: list[str], sentence: str) -> None:
    done = command("request", "show", *arguments)
    assert done.code == 2
    assert sentence in done.err


def test_a_record_without_a_trace_of_its_own_is_judged_by_its_content(
    kafka_command: Command,
) -> None:
    kafka_command("topics", "--partitions", "1", "--replication-factor", "1")
    kafka_command.handle(customer(), topic="customer.changed")
    kafka_command.handle(request(description="The first of them."))
    kafka_command("request", "publish", "-", stdin=lines(b"{}", request(), request(request_id="2")))

    (story,) = kafka_command("request", "show", "--record", "ticket.requested:0:1", "--json").json
    assert story["outcome"] == "duplicate"
    assert story["why"].startswith("created by ")

    unread = kafka_command("request", "show", "--record", "ticket.requested:0:2")
    assert (unread.code, unread.err) == (1, "Record ticket.requested:0:2 is not handled yet.\n")
    beyond = kafka_command("request", "show", "--record", "ticket.requested:0:9")
    assert "its partition holds the offsets 0 to 2" in beyond.err


def test_waiting_ends_without_a_service_to_wait_for(kafka_command: Command) -> None:
    kafka_command("topics", "--partitions", "1", "--replication-factor", "1")
    done = kafka_command(
        "request", "publish", "-", "--wait", "--timeout", "0", stdin=lines(request())
    )
    assert done.code == 1
    assert "1 of 1 request has no outcome yet." in done.err
