"""`ticketing ticket`: one ticket in full, and the newest that fit."""

import pytest

from tests.integration.command import Command, Done
from tests.integration.test_cli_requests import CUSTOMER, customer, request

OTHER = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def with_tickets(command: Command) -> Command:
    """Four tickets of two tenants."""
    command.handle(
        customer() | {"external_id": 4711},
        customer("south") | {"customer_id": OTHER},
        topic="customer.changed",
    )
    command.handle(
        request(request_id="a", title="First", priority="high", assigned_team="noc"),
        request(request_id="b", title="Second", device_serial_numbers=["SN-1"]),
        request(request_id="c", title="Third", assigned_team="noc"),
        request(request_id="a", title="Fourth", tenant_id="south", customer_id=OTHER),
    )
    command.execute(
        "UPDATE tickets SET created_at = now() - interval '1 hour' WHERE subject = 'First';"
        "UPDATE tickets SET status = 'closed' WHERE subject = 'Third'"
    )
    return command


def titles(done: Done) -> list[str]:
    assert done.code == 0, done.err
    return sorted(ticket["title"] for ticket in done.json)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["First", "Fourth", "Second", "Third"]),
        (["--tenant", "north"], ["First", "Second", "Third"]),
        (["--status", "open"], ["First", "Fourth", "Second"]),
        (["--status", "closed", "--status", "waiting"], ["Third"]),
        (["--team", "noc"], ["First", "Third"]),
        (["--team", "noc", "--status", "open"], ["First"]),
        (["--team", "noc", "--tenant", "south"], []),
        (["--customer", CUSTOMER], ["First", "Second", "Third"]),
        (["--customer", "4711"], ["First", "Second", "Third"]),
        (["--customer", "4711", "--team", "noc", "--status", "closed"], ["Third"]),
        (["--customer", OTHER, "--tenant", "north"], []),
        (["--customer", "9" * 30], []),
        (["--request-id", "a"], ["First", "Fourth"]),
        (["--request-id", "a", "--tenant", "north"], ["First"]),
        (["--request-id", "a", "--customer", OTHER], ["Fourth"]),
        (["--request-id", "b", "--status", "closed"], []),
        (["--request-id", "nobody"], []),
    ],
)
def test_tickets_are_listed_by_what_is_named(
    with_tickets: Command, options: list[str], expected: list[str]
) -> None:
    assert titles(with_tickets("ticket", "list", "--json", *options)) == expected


def test_the_newest_come_first_and_not_too_many(with_tickets: Command) -> None:
    found = with_tickets("ticket", "list", "--json").json
    assert found[-1]["title"] == "First"
    assert len(with_tickets("ticket", "list", "--limit", "2", "--json").json) == 2


def test_the_list_in_a_pipe_has_a_line_for_each(with_tickets: Command) -> None:
    done = with_tickets("ticket", "list", "--request-id", "a", "--tenant", "north")
    assert done.page == [
        "number  status  priority  tenant  team  created  title",
        "TCK-NUMBER  open  high  north  noc  TIME (AGE)  First",
    ]
    assert with_tickets("ticket", "list", "--team", "nobody").out == "No ticket fits.\n"


def test_the_list_in_a_terminal_keeps_to_its_width(with_tickets: Command) -> None:
    with_tickets.in_terminal(80)
    done = with_tickets("ticket", "list")
    assert max(map(len, done.out.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines())) <= 80


def test_a_ticket_shows_messages_due_dates_and_timeline(with_tickets: Command) -> None:
    (ticket,) = with_tickets("ticket", "list", "--request-id", "b", "--json").json
    done = with_tickets("ticket", "show", ticket["ticket_number"].lower())
    assert done.code == 0
    assert done.page == [
        "ticket  TCK-NUMBER",
        "title  Second",
        "tenant  north",
        "status  open",
        "priority  normal",
        "type  -",
        "route  customer to tenant",
        "customer  UUID",
        "partner  -",
        "team  -",
        "assigned to  -",
        "address  -",
        "services  -",
        "devices  SN-1",
        "request  b",
        "created  TIME (AGE)",
        "updated  TIME (AGE)",
        "respond by  TIME (AGE)",
        "resolve by  TIME (AGE)",
        "escalation  L1",
        "rating  -",
        "id  UUID",
        "",
        "Clocks (# elapsed, ! over, / paused, . left)",
        *(
            line
            for metric, target in (("first response", "24h"), ("resolution", "72h"))
            for line in (
                f"{metric}, cycle 1: running",
                f"     [#{39 * '.'}] 0 % of {target}",
                f"     0s elapsed, {target} left",
                "     due TIME (AGE)",
                "     judged by the default table, 24x7",
                "     TIME (AGE) started",
            )
        ),
        "",
        "Message 1 from customer UUID, TIME (AGE)",
        "Since this morning.",
        "",
        "Timeline",
        "  1  ticket.created, TIME (AGE), waiting",
        "     cause: b",
    ]


def test_a_timeline_tells_who_did_what_from_what_to_what_and_why(with_tickets: Command) -> None:
    (ticket,) = with_tickets("ticket", "list", "--request-id", "b", "--json").json
    number = ticket["ticket_number"]
    agent = {"type": "tenant", "id": "agent-7"}
    change = {"tenant_id": "north", "ticket_number": number, "actor": agent}
    with_tickets.handle(
        change | {"change": "assign", "assigned_team": "noc", "request_id": "c-1"},
        change | {"change": "set_status", "status": "waiting"},
        topic="ticket.change_requested",
    )
    page = with_tickets("ticket", "show", number).page
    assert page[page.index("Timeline") :] == [
        "Timeline",
        "  1  ticket.created, TIME (AGE), waiting",
        "     cause: b",
        "  2  ticket.assigned, TIME (AGE), waiting",
        "     by tenant agent-7",
        "     assigned_team: nothing to noc",
        "     cause: c-1",
        "  3  ticket.status_changed, TIME (AGE), waiting",
        "     by tenant agent-7",
        "     status: open to waiting",
        "     sla_due_date: TIME to nothing",
        "     first_response_due_at: TIME to nothing",
        "     cause: record ticket.change_requested:0:1",
    ]
    timeline = with_tickets("ticket", "show", number, "--json").json["timeline"]
    causes = [(fact["causation_id"], fact["record"]) for fact in timeline]
    assert causes == [("b", None), ("c-1", None), (None, "ticket.change_requested:0:1")]


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ("sla_due_date = now() - interval '1 second'", "overdue"),
        ("resolved_at = sla_due_date", "met"),
        ("resolved_at = sla_due_date + interval '1 second'", "breached"),
    ],
)
def test_a_due_date_says_whether_it_is_kept(
    with_tickets: Command, change: str, verdict: str
) -> None:
    with_tickets.execute(f"UPDATE tickets SET {change} WHERE request_id = 'b'")  # noqa: S608
    (ticket,) = with_tickets("ticket", "list", "--request-id", "b", "--json").json
    page = with_tickets("ticket", "show", ticket["ticket_number"]).page
    (line,) = [line for line in page if line.startswith("resolve by")]
    assert verdict in line


def test_a_number_that_several_tenants_have_needs_a_tenant(with_tickets: Command) -> None:
    with_tickets.execute(
        "UPDATE tickets SET ticket_number = 'TCK-000000000000' WHERE request_id = 'a'"
    )
    done = with_tickets("ticket", "show", "TCK-000000000000")
    assert done.code == 2
    assert done.err == (
        "TCK-000000000000 exists in several tenants (north, south): name one with --tenant.\n"
    )
    one = with_tickets("ticket", "show", "TCK-000000000000", "--tenant", "south", "--json").json
    assert one["ticket"]["title"] == "Fourth"


def test_a_ticket_that_is_not_there_is_named(with_tickets: Command) -> None:
    done = with_tickets("ticket", "show", "TCK-000000000000", "--tenant", "north")
    assert (done.code, done.err) == (1, "There is no ticket TCK-000000000000 in tenant north.\n")


def test_a_customer_that_is_neither_form_is_wrong_use(command: Command) -> None:
    done = command("ticket", "list", "--customer", "Ada")
    assert done.code == 2
    assert done.err == "--customer is 'Ada'; give a UUID or an external number.\n"
