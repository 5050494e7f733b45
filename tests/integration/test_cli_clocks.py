"""Clocks as people see them: on a ticket, in its timeline, at risk, and in `ticketing status`."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.audit import EVER, NEVER
from db import inventory
from db.connect import connect
from db.loose_ends import loose_ends
from tests.integration.command import Command
from tests.integration.passed_time import age, fire
from tests.integration.test_cli_requests import customer, request
from tests.records import in_days

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPEN_ALL_DAY = {
    "timezone": "Europe/Berlin",
    "weekly": {day: [["00:00", "24:00"]] for day in DAYS},
}
NEVER_OPEN = {"timezone": "Europe/Berlin", "date_overrides": {"2026-01-02": [["09:00", "17:00"]]}}
POLICY = {
    "tenant_id": "north",
    "teams": {"noc": []},
    "calendars": {"office": OPEN_ALL_DAY, "fair": NEVER_OPEN},
    "sla": [
        {
            "name": "gold",
            "when": {"priority": "urgent"},
            "calendar": "office",
            "targets": {"first_response": "1h", "resolution": "8h"},
            "ladder": [{"at": "30m after due", "level": 1, "team": "noc"}],
        },
        {
            "name": "fair",
            "when": {"priority": "low"},
            "calendar": "fair",
            "targets": {"first_response": "off", "resolution": "8h"},
        },
    ],
}
AGENT = {"type": "tenant", "id": "agent-7"}


class Desk:
    """Opens tickets and changes them, by the names of their requests."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._changes = 0

    def open(self, name: str, **fields: object) -> None:
        self.command.handle(request(request_id=name, **fields))

    def number(self, name: str) -> str:
        (found,) = self.command("ticket", "list", "--request-id", name, "--json").json
        number: str = found["ticket_number"]
        return number

    def change(self, name: str, change: str, **fields: object) -> None:
        self._changes += 1
        wanted: dict[str, object] = {
            "tenant_id": "north",
            "ticket_number": self.number(name),
            "actor": AGENT,
        }
        wanted |= {"change": change, "request_id": f"change-{self._changes}"} | fields
        records = [*[b"{}"] * self._changes, json.dumps(wanted).encode()]
        self.command.handle(*records, topic="ticket.change_requested")

    def clocks(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]]
        found = self.command("ticket", "show", self.number(name), "--json").json["clocks"]
        return found

    def page(self, name: str, part: str) -> list[str]:
        """The lines under a heading."""
        page = self.command("ticket", "show", self.number(name)).page
        (start,) = [place for place, line in enumerate(page) if line.startswith(part)]
        end = page.index("", start) if "" in page[start:] else len(page)
        return page[start + 1 : end]


@pytest.fixture
def desk(command: Command, tmp_path: Path) -> Desk:
    """A desk in a tenant with a policy for urgent and low tickets."""
    command.handle(customer(), topic="customer.changed")
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(POLICY))
    applied = command("policy", "apply", str(file), "--yes")
    assert applied.code == 0, applied.err
    return Desk(command)


@pytest.fixture
def eventful(desk: Desk) -> Desk:
    """A ticket answered late, paused for two hours, and worked on for five of eight hours."""
    desk.open("a", priority="urgent")
    age(desk.command, "2 hours")
    fire(desk.command)
    desk.change("a", "add_message", body="Looking into it.")
    desk.change("a", "set_status", status="waiting")
    age(desk.command, "2 hours")
    desk.change("a", "set_status", status="in_progress")
    age(desk.command, "3 hours 1 second")
    fire(desk.command)
    return desk


def test_every_clock_of_a_ticket_is_a_bar_with_its_figures_and_its_history(eventful: Desk) -> None:
    assert eventful.page("a", "Clocks (# elapsed, ! over, / paused, . left)") == [
        "first response, cycle 1: breached, fulfilled late",
        "     [####################!!!!!!!!!!!!!!!!!!!!] 200 % of 1h",
        "     2h elapsed, 1h over",
        "     due TIME (AGE)",
        "     judged by gold (version 1), calendar office",
        "     TIME (AGE) started",
        "     TIME (AGE) fulfilled",
        "resolution, cycle 1: running",
        "     [####################////////............] 62 % of 8h",
        "     5h elapsed, 3h left, paused for 2h 00m",
        "     due TIME (AGE)",
        "     judged by gold (version 1), calendar office",
        "     TIME (AGE) started",
        "     TIME (AGE) paused: waiting for customer",
        "     TIME (AGE) resumed",
    ]


def test_a_program_reads_all_of_a_clock(eventful: Desk) -> None:
    answered, resolution = eventful.clocks("a")
    assert (answered["metric"], answered["state"], answered["is_breached"]) == (
        *("first_response", "fulfilled"),
        True,
    )
    assert 7_199 < answered["elapsed_seconds"] < 7_300
    assert answered["overrun_seconds"] == pytest.approx(answered["elapsed_seconds"] - 3_600)
    assert answered["told"] == ["breach", "warning:50", "warning:75", "warning:90"]
    assert (resolution["state"], resolution["is_open"], resolution["cycle"]) == ("running", True, 1)
    assert resolution["elapsed_seconds"] + resolution["left_seconds"] == pytest.approx(28_800)
    assert resolution["used_percent"] == pytest.approx(62.5, abs=0.5)
    assert 7_199 < resolution["paused_seconds"] < 7_300
    assert (resolution["policy"], resolution["policy_version"]) == ("gold", 1)
    assert (resolution["calendar"], resolution["calendar_version"]) == ("office", 1)
    assert [each["kind"] for each in resolution["history"]] == ["started", "paused", "resumed"]
    assert resolution["history"][1]["pause_reasons"] == ["waiting_for_customer"]


def test_a_clock_that_has_only_started_is_judged_by_the_default_table(desk: Desk) -> None:
    desk.open("b")
    age(desk.command, "12 hours")
    assert desk.page("b", "Clocks")[:6] == [
        "first response, cycle 1: running",
        "     [####################....................] 50 % of 24h",
        "     12h elapsed, 12h left",
        "     due TIME (AGE)",
        "     judged by the default table, 24x7",
        "     TIME (AGE) started",
    ]


def test_a_clock_outside_its_business_hours_says_so(desk: Desk) -> None:
    desk.open("c", priority="low")
    (clock,) = desk.clocks("c")
    assert (clock["due_at"], clock["is_open"], clock["elapsed_seconds"]) == (None, False, 0)
    assert desk.page("c", "Clocks") == [
        "resolution, cycle 1: running, outside its business hours",
        "     [........................................] 0 % of 8h",
        "     0s elapsed, 8h left",
        "     due never: its calendar has too little time",
        "     judged by fair (version 1), calendar fair",
        "     TIME (AGE) started",
    ]


def test_a_pause_without_an_end_leaves_no_due_time(desk: Desk) -> None:
    desk.open("a", priority="urgent")
    desk.change("a", "set_status", status="in_progress")
    desk.change("a", "set_status", status="waiting")
    _, clock = desk.clocks("a")
    assert (clock["state"], clock["due_at"], clock["paused_until"]) == ("paused", None, None)
    page = desk.page("a", "Clocks")
    assert "resolution, cycle 1: paused: waiting for customer" in page
    assert "     due once it goes on" in page


def test_a_visit_that_is_over_is_no_pause_any_more(desk: Desk) -> None:
    """The row says paused until something happens to it; what is shown is how it stands."""
    visit = in_days(100)
    desk.open("a", priority="urgent", context={"scheduled_visit": visit})
    clock = desk.clocks("a")[1]
    assert (clock["state"], clock["paused_until"]) == ("paused", visit)
    assert any("scheduled visit until TIME (AGE)" in line for line in desk.page("a", "Clocks"))
    age(desk.command, "101 days")
    assert {each["state"] for each in desk.clocks("a")} == {"running"}


def test_a_reopened_ticket_has_a_new_cycle_last(eventful: Desk) -> None:
    eventful.change("a", "set_status", status="resolved")
    eventful.change("a", "set_status", status="open")
    cycles = [(each["metric"], each["cycle"], each["state"]) for each in eventful.clocks("a")]
    assert cycles == [
        ("first_response", 1, "fulfilled"),
        ("resolution", 1, "fulfilled"),
        ("resolution", 2, "running"),
    ]
    assert "resolution, cycle 1: fulfilled in time" in eventful.page("a", "Clocks")


def test_other_terms_are_told_in_the_history(desk: Desk) -> None:
    desk.open("b")
    desk.change("b", "set_priority", priority="urgent")
    page = desk.page("b", "Clocks")
    assert "     TIME (AGE) retargeted to 8h by gold (version 1)" in page


def test_a_policy_that_can_not_be_read_is_named_and_the_rest_is_shown(desk: Desk) -> None:
    desk.open("a", priority="urgent")
    desk.command.execute("UPDATE policies SET document = '{}', applied_at = now()")
    page = desk.page("a", "Clocks")
    assert page[0] == "first response, cycle 1: running"
    assert page[1].startswith("     how it stands can't be reckoned: Version 1 of north's policy ")
    assert desk.command("sla", "at-risk").page[1].startswith("TCK-NUMBER  north  first response")
    assert desk.clocks("a")[0]["elapsed_seconds"] is None


def test_the_timeline_tells_what_the_sla_did(desk: Desk) -> None:
    desk.open("a", priority="urgent")
    age(desk.command, "9 hours")
    fire(desk.command)
    page = desk.page("a", "Timeline")
    start = page.index("  5  sla.breached, TIME (AGE), waiting")
    assert page[start - 4 : start + 4] == [
        "  4  sla.warning, TIME (AGE), waiting",
        "     by the SLA",
        "     first response, cycle 1: 90 % of 1h used, due TIME (AGE)",
        "     noticed 8h 06m late",
        "  5  sla.breached, TIME (AGE), waiting",
        "     by the SLA",
        "     first response, cycle 1: breached, due TIME (AGE), target 1h, 8h over",
        "     noticed 8h 00m late",
    ]
    assert page[-5:] == [
        "     by the SLA",
        "     assigned_team: nothing to noc",
        "     escalation_level: 0 to 1",
        "     escalated_at: nothing to TIME",
        "     noticed 30m late",
    ]


def test_the_timeline_tells_a_breach_that_only_completion_showed(desk: Desk) -> None:
    desk.open("a", priority="urgent")
    age(desk.command, "2 hours")
    desk.change("a", "add_message", body="At last.")
    page = desk.page("a", "Timeline")
    assert "     noticed at completion" in page
    assert not any("late" in line for line in page)


def test_the_timeline_tells_that_a_breach_was_none(desk: Desk) -> None:
    desk.open("a", priority="urgent")
    age(desk.command, "2 hours")
    fire(desk.command)
    in_time = desk.clocks("a")[0]["due_at"].replace("+00:00", "Z")
    desk.change("a", "add_message", body="Sent in time.", occurred_at=in_time)
    page = desk.page("a", "Timeline")
    start = page.index("     first response, cycle 1: it was no breach, due TIME (AGE)")
    assert page[start + 1].startswith("     reason: What was due was done in time, at ")
    assert "first response, cycle 1: fulfilled in time, its breach annulled" in desk.page(
        "a", "Clocks"
    )


def test_what_breaches_next_is_listed_soonest_first(desk: Desk) -> None:
    desk.open("b")
    desk.open("a", priority="urgent")
    age(desk.command, "30 minutes")
    page = desk.command("sla", "at-risk").page
    first = page.pop(1)  # which is told to the second
    assert re.fullmatch(r"TCK-NUMBER  north  first response  50 %  (30|29)m.*  TIME \(AGE\)", first)
    assert page == [
        "number  tenant  metric  used  left  due",
        "TCK-NUMBER  north  resolution  6 %  7h30m  TIME (AGE)",
        "TCK-NUMBER  north  first response  2 %  23h30m  TIME (AGE)",
        "TCK-NUMBER  north  resolution  0 %  71h30m  TIME (AGE)",
    ]
    found = desk.command("sla", "at-risk", "--json").json
    assert [each["clock"]["due_at"] for each in found] == sorted(
        each["clock"]["due_at"] for each in found
    )
    assert (found[0]["ticket_number"], found[0]["priority"]) == (desk.number("a"), "urgent")


@pytest.mark.parametrize(
    ("options", "metrics"),
    [
        (["--limit", "1"], ["first_response"]),
        (["--within", "3h"], ["first_response"]),
        (["--within", "1d"], ["first_response", "resolution"]),
        (["--metric", "resolution"], ["resolution"]),
        (["--tenant", "north"], ["first_response", "resolution"]),
        (["--tenant", "south"], []),
        (["--within", "5m"], []),
        (["--breached"], []),
    ],
)
def test_only_what_is_named_is_at_risk(desk: Desk, options: list[str], metrics: list[str]) -> None:
    desk.open("a", priority="urgent")
    done = desk.command("sla", "at-risk", "--json", *options)
    assert done.code == 0
    assert [each["clock"]["metric"] for each in done.json] == metrics


def test_what_stands_still_without_an_end_or_is_over_is_not_at_risk(desk: Desk) -> None:
    desk.open("a", priority="urgent")
    desk.change("a", "add_message", body="We look into it.", new_status="waiting")
    assert desk.command("sla", "at-risk").out == "No clock fits.\n"


def test_what_has_breached_and_goes_on_is_listed_on_its_own(desk: Desk) -> None:
    desk.open("a", priority="urgent")
    age(desk.command, "9 hours")
    assert [line.split("  ")[-2] for line in desk.command("sla", "at-risk").page[1:]] == [
        "8h over",
        "1h over",
    ]
    fire(desk.command)
    assert desk.command("sla", "at-risk").out == "No clock fits.\n"
    breached = desk.command("sla", "at-risk", "--breached").page
    assert [line.split("  ")[2:5] for line in breached[1:]] == [
        ["first response", "900 %", "8h over"],
        ["resolution", "112 %", "1h over"],
    ]
    only = desk.command("sla", "at-risk", "--breached", "--metric", "resolution", "--json").json
    assert [each["clock"]["breach_sequence"] for each in only] == [9]
    desk.change("a", "set_status", status="resolved")
    assert desk.command("sla", "at-risk", "--breached", "--json").json == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--within", "soon"], "--within is 'soon'; give a time such as 15m, 2h or 3d."),
        (["--within", "9" * 30 + "w"], "give a time such as 15m, 2h or 3d."),
        (["--within", "2h", "--breached"], "leave it out with --breached."),
    ],
)
def test_wrong_use_of_at_risk_is_told(command: Command, options: list[str], sentence: str) -> None:
    done = command("sla", "at-risk", *options)
    assert done.code == 2
    assert sentence in done.err


def test_the_soonest_is_found_among_many_that_tell_something_sooner(desk: Desk) -> None:
    """A hundred clocks warn before the one whose breach is next; it warns no more."""
    desk.open("a", priority="urgent")
    desk.command.execute(
        "INSERT INTO sla_clocks (tenant_id, ticket_id, metric, cycle, started_at, target_seconds,"
        " due_at, next_fire_at) SELECT tenant_id, ticket_id, metric, n + 1, now(), 3600,"
        " now() + interval '1 day', now() + n * interval '1 second'"
        " FROM sla_clocks, generate_series(1, 100) AS n WHERE metric = 'resolution'"
    )
    found = desk.command("sla", "at-risk", "--limit", "2", "--json").json
    assert [(each["clock"]["metric"], each["clock"]["cycle"]) for each in found] == [
        ("first_response", 1),
        ("resolution", 1),
    ]


def status_of(command: Command) -> Callable[[str], str]:
    lines = [line.partition("  ") for line in command("status").page]
    return {name: value for name, _, value in lines}.__getitem__


def test_the_state_of_the_whole_says_what_is_due_next_and_whether_timers_are_late(
    desk: Desk,
) -> None:
    shown = status_of(desk.command)
    assert (shown("next due"), shown("timers")) == ("-", "on time, nothing is to come")
    desk.open("a", priority="urgent")
    shown = status_of(desk.command)
    assert shown("next due") == "first response of TCK-NUMBER of north AGE"
    assert shown("timers") == "on time, the next clock fires AGE"
    age(desk.command, "5 hours")
    shown = status_of(desk.command)
    assert shown("next due") == "resolution of TCK-NUMBER of north AGE"
    assert shown("timers") == "2 clocks overdue, the first was due AGE"
    found = desk.command("status", "--json").json
    assert found["timers"]["overdue"] == 2
    assert found["timers"]["overdue_since"] < found["waiting"]["at"]
    assert found["next_due"]["metric"] == "resolution"


@pytest.mark.usefixtures("eventful")
async def test_what_the_program_leaves_behind_has_no_loose_ends(database_url: str) -> None:
    connection = await connect(database_url)
    try:
        await connection.execute(inventory.SNAPSHOT)
        assert await loose_ends(connection, EVER, NEVER) == []
    finally:
        await connection.close()
