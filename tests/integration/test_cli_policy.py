"""`ticketing policy`: a file becomes a version, or nothing of it does."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db import policies
from db.policies import AppliedMeanwhile, Stored
from tests.integration.command import Command, Done

pytestmark = pytest.mark.integration

POLICY = """\
tenant_id: acme
settings:
  reopen_days: 14
  auto_close_days: off
teams:
  noc: [anna, bert]
  "12": ["4711"]
routing:
  - name: Berlin's outages
    when: {ticket_type: outage_report, address: "*, 10??? Berlin", customer_tier: gold}
    then: {team: noc, assignee: spread, priority: urgent, escalation_path: [{level: 2, user: eva}]}
  - name: speed
    when: {keywords: [slow, too slow]}
    then: {team: "12"}
calendars:
  office: {timezone: Europe/Vienna, weekly: {mon: [["09:00", "17:00"]]}}
sla:
  - name: gold outages
    when: {ticket_type: outage_report, customer_tier: gold, team: noc, priority: urgent}
    calendar: office
    targets: {first_response: off, resolution: {urgent: 90m}}
    ladder: [{at: due, level: 1, team: noc}]
"""
REQUEST: dict[str, Any] = {
    "request_id": "r-1",
    "tenant_id": "acme",
    "customer_id": 7,
    "title": "No internet",
    "description": "Since this morning.",
}
OUTAGE = REQUEST | {
    "ticket_type": "outage_report",
    "service_address": "Alexanderplatz 1, 10178 Berlin",
    "customer_tier": "gold",
}
DEFAULT = {"policy": None, "calendar": None}
NORMAL = {
    "first_response": {**DEFAULT, "target_seconds": 24 * 3600},
    "resolution": {**DEFAULT, "target_seconds": 72 * 3600},
}
URGENT = {
    "first_response": {**DEFAULT, "target_seconds": 3600},
    "resolution": {**DEFAULT, "target_seconds": 8 * 3600},
}
GOLD = {"policy": "gold outages", "calendar": "office"}
NOTHING: dict[str, object] = {"rule": None, "team": None, "assignee": None, "escalation_path": []}


@pytest.fixture
def file(command: Command, tmp_path: Path) -> Path:  # noqa: ARG001  the folder is the command's
    path = tmp_path / "acme.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


def applied(command: Command, *options: str) -> Done:
    return command("policy", "apply", "acme.yaml", "--yes", *options)


def versions(command: Command) -> list[tuple[str, int]]:
    async def read() -> list[tuple[str, int]]:
        connection = await asyncpg.connect(command.environment["DATABASE_URL"])
        rows = await connection.fetch("SELECT tenant_id, version FROM policies ORDER BY 1, 2")
        await connection.close()
        return [tuple(row) for row in rows]

    return asyncio.run(read())


def test_a_policy_is_put_in_force(command: Command, file: Path) -> None:
    done = applied(command)
    assert (done.code, done.out) == (0, "acme: version 1 is in force.\n")
    assert done.err.splitlines()[1:] == [
        f"file: {file.name}",
        "tenant: acme",
        "version: 1 (in force: none)",
        "holds: 2 teams, 2 rules, 1 calendar, 1 SLA policy",
    ]


def test_a_change_is_the_next_version_and_the_same_is_none(command: Command, file: Path) -> None:
    applied(command)
    same = json.dumps(command("policy", "show", "--tenant", "acme", "--json").json["document"])
    for text in (POLICY, f"# a remark\n{POLICY.replace('14', '14.0')}", same):
        file.write_text(text, encoding="utf-8")
        done = applied(command)
        assert (done.code, done.out) == (0, "acme: nothing is new; version 1 stays in force.\n")
    file.write_text(POLICY.replace("bert", "carla"), encoding="utf-8")
    assert applied(command, "--json").json == {
        "tenant_id": "acme",
        "version": 2,
        "result": "applied",
    }
    file.write_text(POLICY, encoding="utf-8")
    assert applied(command).out == "acme: version 3 is in force.\n"
    assert versions(command) == [("acme", 1), ("acme", 2), ("acme", 3)]


def test_a_dry_run_leaves_nothing(command: Command, file: Path) -> None:  # noqa: ARG001
    done = command("policy", "apply", "acme.yaml", "--dry-run")
    assert (done.code, done.out) == (0, "acme: would become version 1.\n")
    assert applied(command, "--dry-run", "--json").json["result"] == "would_apply"
    assert versions(command) == []


def test_it_asks_and_without_a_terminal_needs_yes(command: Command, file: Path) -> None:  # noqa: ARG001
    done = command("policy", "apply", "acme.yaml")
    assert done.code == 2
    assert done.err.endswith("Nothing was done: without a terminal to ask, --yes is needed.\n")
    assert versions(command) == []


def test_every_fault_is_told_and_nothing_is_applied(command: Command, file: Path) -> None:
    text = POLICY.replace("14", "-1").replace("team: noc", "team: nok").replace("keywords", "words")
    file.write_text(text, encoding="utf-8")
    done = applied(command)
    assert (done.code, done.out) == (1, "")
    *faults, last = done.err.splitlines()
    assert [fault.partition(";")[0] for fault in faults] == [
        "acme.yaml:3: settings.reopen_days: is the number -1",
        "acme.yaml:13: routing[1].when.words: is no field here",
    ]
    assert last == "Nothing was applied: acme.yaml has 2 errors."
    assert versions(command) == []


def test_a_file_is_for_the_tenant_that_it_names(command: Command, file: Path) -> None:
    assert applied(command, "--tenant", "acme").code == 0
    done = applied(command, "--tenant", "north")
    assert (done.code, done.err) == (
        2,
        "Nothing was applied: acme.yaml is the policy of tenant acme, not of north.\n",
    )
    file.write_text(POLICY.replace("tenant_id: acme\n", ""), encoding="utf-8")
    done = applied(command)
    assert (done.code, done.err) == (
        2,
        "acme.yaml names no tenant: give it a field tenant_id, or name one with --tenant.\n",
    )
    assert applied(command, "--tenant", "north").out == "north: version 1 is in force.\n"
    assert "--tenant is 'a b'; give 1 to 255" in applied(command, "--tenant", "a b").err
    assert versions(command) == [("acme", 1), ("north", 1)]


def test_a_policy_comes_from_stdin_too(command: Command) -> None:
    done = command("policy", "apply", "-", "--yes", stdin=POLICY.encode())
    assert (done.code, done.out) == (0, "acme: version 1 is in force.\n")
    done = command("policy", "apply", "-", "--yes", stdin=b"x: y")
    assert done.err.startswith("stdin:1: x: is no field here;")


def test_who_applies_at_the_same_time_is_told(
    command: Command,
    file: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other one comes between the look and the write."""
    looked = policies.find

    async def look(
        connection: asyncpg.Connection, tenant_id: str, version: int | None = None
    ) -> Stored | None:
        found = await looked(connection, tenant_id, version)
        await connection.execute("ROLLBACK")
        await connection.execute("INSERT INTO policies VALUES ('acme', 1, '{}')")
        return found

    monkeypatch.setattr(policies, "find", look)
    done = applied(command)
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(f"{AppliedMeanwhile('acme', 1)}\n")
    assert versions(command) == [("acme", 1)]


def test_what_is_shown_can_be_applied_again(command: Command, file: Path) -> None:
    applied(command)
    shown = command("policy", "show", "--tenant", "acme")
    heading, *lines = shown.out.splitlines()
    assert heading.startswith("# Version 1, applied at 20")
    assert lines[:9] == [
        "tenant_id: acme",
        "settings:",
        "  reopen_days: 14",
        "  auto_close_days: null",
        "teams:",
        "  noc:",
        "  - anna",
        "  - bert",
        '  "12":',
    ]
    file.write_text(shown.out, encoding="utf-8")
    assert applied(command).out == "acme: nothing is new; version 1 stays in force.\n"


def test_an_old_version_is_shown_as_it_was(command: Command, file: Path) -> None:
    applied(command)
    file.write_text("tenant_id: acme\n", encoding="utf-8")
    applied(command)
    show = ("policy", "show", "--tenant", "acme", "--json")
    assert command(*show, "--version", "1").json["document"]["settings"]["reopen_days"] == 14
    newest = command(*show).json
    assert (newest["version"], newest["document"]["teams"]) == (2, {})
    assert command("policy", "show", "--tenant", "north").err == "Tenant north has no policy.\n"
    done = command(*show, "--version", "3")
    assert (done.code, done.err) == (1, "Tenant acme has no version 3 of a policy.\n")


def tried(command: Command, *requests: object, as_json: bool = True) -> Done:
    lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in requests]
    options = ["--json"] if as_json else []
    return command("policy", "test", "acme.yaml", *options, stdin=b"\n".join(lines))


def answers(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_trial_shows_what_each_request_would_get(command: Command, file: Path) -> None:  # noqa: ARG001
    slow = REQUEST | {"title": "Too slow", "priority": "critical"}
    done = tried(command, OUTAGE, slow, REQUEST, slow | {"assigned_team": "sales"})
    first, second, third, fourth = answers(done)
    assert done.code == 0
    assert first.pop("assignee") in {"anna", "bert"}
    assert first == {
        "line": 1,
        "request_id": "r-1",
        "rule": "Berlin's outages",
        "team": "noc",
        "priority": "urgent",
        "escalation_path": [{"level": 2, "team": None, "user": "eva"}],
        "sla": {
            "first_response": {**GOLD, "target_seconds": None},
            "resolution": {**GOLD, "target_seconds": 90 * 60},
        },
    }
    assert (second["rule"], second["team"], second["priority"]) == ("speed", "12", "urgent")
    same = {"request_id": "r-1", "priority": "normal", "sla": NORMAL}
    assert third == {"line": 3, **NOTHING, **same}
    urgent = {"priority": "urgent", "sla": URGENT}
    assert fourth == {"line": 4, **NOTHING, **same, **urgent, "team": "sales"}


def test_a_trial_tells_people_the_same(command: Command, file: Path) -> None:  # noqa: ARG001
    gold = OUTAGE | {"assigned_team": "noc", "priority": "urgent"}
    done = tried(command, REQUEST | {"title": "slow"}, REQUEST, gold, b"{", as_json=False)
    assert done.code == 1
    default = "first response 24h (by the default), resolution 72h (by the default)"
    gold_outages = "(by 'gold outages', in 'office')"
    assert done.out.splitlines()[:3] == [
        f"line 1: team 12, priority normal (rule 'speed'); {default}",
        f"line 2: priority normal; no rule matches; {default}",
        (
            "line 3: priority urgent; the request names team noc itself;"
            f" first response off {gold_outages}, resolution 1h30m {gold_outages}"
        ),
    ]
    assert done.out.splitlines()[3].startswith("line 4: value: is not JSON (")


def test_a_line_that_is_no_request_leaves_the_others_alone(command: Command, file: Path) -> None:  # noqa: ARG001
    wrong: list[object] = [
        b"\xff",
        b"null",
        {**REQUEST, "title": 5},
        {**REQUEST, "tenant_id": "north"},
        {**REQUEST, "customer_tier": 5},
    ]
    done = tried(command, *wrong, OUTAGE)
    *errors, last = answers(done)
    assert (done.code, last["rule"]) == (1, "Berlin's outages")
    assert [error["line"] for error in errors] == [1, 2, 3, 4, 5]
    assert [error["error"].partition(";")[0] for error in errors] == [
        "value: is not UTF-8 (byte 0)",
        "value: is null",
        "title: is a number",
        "tenant_id: is 'north'",
        "customer_tier: is no text",
    ]


def test_a_trial_needs_a_valid_file_and_no_database(command: Command, file: Path) -> None:
    command.environment["DATABASE_URL"] = "postgresql://127.0.0.1:1/nowhere"
    assert tried(command, OUTAGE).code == 0
    file.write_text(f"{POLICY}  - 5\n", encoding="utf-8")
    done = tried(command, OUTAGE)
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith("Nothing was tested: acme.yaml has 1 error.\n")
    done = command("policy", "test", "-")
    assert (done.code, done.err) == (2, "FILE can't be stdin here, where the requests are.\n")
