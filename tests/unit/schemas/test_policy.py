"""A tenant's policy: what it may say, and what is told of one that may not stand."""

from typing import Any

import pytest

from schemas.policy import Strategy
from schemas.vocabulary import Priority, TicketType
from tests.unit.schemas.judged import accepted, told

TEAMS = {"noc": ["anna", "bert"], "field": ["carla"], "desk": []}


def rule(**fields: object) -> dict[str, Any]:
    """A rule; a field that is ... is left out."""
    whole = {"name": "outages", "when": {"priority": "high"}, "then": {"team": "noc"}, **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def document(*rules: object, **fields: object) -> dict[str, Any]:
    return {"tenant_id": "acme", "teams": TEAMS, "routing": list(rules), **fields}


def test_an_empty_policy_has_the_defaults() -> None:
    policy = accepted({})
    assert (policy.settings.reopen_days, policy.settings.auto_close_days) == (7, None)
    assert (policy.tenant_id, policy.teams, policy.routing) == (None, {}, ())


def test_words_are_taken_in_any_case_and_one_value_for_a_list_of_one() -> None:
    when = {"ticket_type": "Outage_Report", "priority": ["critical", "HIGH"]}
    (found,) = accepted(document(rule(when=when))).routing
    assert found.when.ticket_type == (TicketType.OUTAGE_REPORT,)
    assert found.when.priority == (Priority.URGENT, Priority.HIGH)
    assert found.then.assignee is Strategy.NONE


@pytest.mark.parametrize("value", ["off", None])
def test_closing_by_itself_can_be_off(value: object) -> None:
    assert accepted({"settings": {"auto_close_days": value}}).settings.auto_close_days is None


def test_days_may_be_parts_of_days() -> None:
    settings = accepted({"settings": {"reopen_days": 0, "auto_close_days": 0.5}}).settings
    assert (settings.reopen_days, settings.auto_close_days) == (0, 0.5)


def test_what_is_kept_is_the_same_policy_with_its_defaults() -> None:
    path = [{"level": 1, "team": "field"}, {"level": 2, "user": "boss"}, {"level": 3}]
    then = {"team": "noc", "assignee": "spread", "priority": "critical", "escalation_path": path}
    policy = accepted(document(rule(then=then), settings={"reopen_days": 3}))
    assert policy.document == {
        "settings": {"reopen_days": 3, "auto_close_days": None},
        "teams": TEAMS,
        "routing": [
            {
                "name": "outages",
                "when": {"priority": ["high"]},
                "then": {**then, "priority": "urgent"},
            }
        ],
    }
    again = accepted(policy.document)
    assert again.document == policy.document


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"name": ...},
            "routing[0].name: is missing; expected text of 1 to 100 characters",
        ),
        (
            {"name": " "},
            "routing[0].name: is empty; expected text of 1 to 100 characters",
        ),
        (
            {"name": 5},
            (
                "routing[0].name: is the number 5; expected text of 1 to 100 characters;"
                " such a value needs quotes here"
            ),
        ),
        (
            {"name": "x" * 101},
            "routing[0].name: is 101 characters long; expected text of 1 to 100 characters",
        ),
        (
            {"wen": {}},
            (
                "routing[0].wen: is no field here; expected one of name, when, then;"
                " did you mean when?"
            ),
        ),
        (
            {"when": {}},
            (
                "routing[0].when: names no condition; expected an object with any of ticket_type,"
                " priority, customer_tier, address, serial, keywords"
            ),
        ),
        (
            {"when": None},
            (
                "routing[0].when: is null; expected an object with any of ticket_type, priority,"
                " customer_tier, address, serial, keywords"
            ),
        ),
        (
            {"when": {"adress": "*"}},
            (
                "routing[0].when.adress: is no field here; expected one of ticket_type, priority,"
                " customer_tier, address, serial, keywords; did you mean address?"
            ),
        ),
        (
            {"when": {"priority": "hihg"}},
            (
                "routing[0].when.priority[0]: is 'hihg'; expected one of low, normal, high, urgent,"
                " medium (normal), critical (urgent); in any case; did you mean high?"
            ),
        ),
        (
            {"when": {"priority": None}},
            (
                "routing[0].when.priority: is null; expected one of low, normal, high, urgent,"
                " medium (normal), critical (urgent); in any case"
            ),
        ),
        (
            {"when": {"customer_tier": []}},
            (
                "routing[0].when.customer_tier: is a list without entries; expected text of 1"
                " to 100"
                " characters, or a list of such texts"
            ),
        ),
        (
            {"when": {"customer_tier": ["x"] * 101}},
            "routing[0].when.customer_tier: has 101 entries; expected at most 100 of them",
        ),
        (
            {"when": {"address": ["*", "[a"]}},
            (
                "routing[0].when.address[1]: is '[a' and has a [ without its ]; expected a"
                " shell glob"
                " of 1 to 255 characters with *, ?, [a-z] or [!a-z], or a list of them"
            ),
        ),
        (
            {"when": {"serial": "[9-0]"}},
            (
                "routing[0].when.serial[0]: is '[9-0]' and has the empty range 9-0; expected a"
                " shell"
                " glob of 1 to 255 characters with *, ?, [a-z] or [!a-z], or a list of them"
            ),
        ),
        (
            {"when": {"keywords": ["fire", "!?"]}},
            (
                "routing[0].when.keywords[1]: is '!?' and has no letter and no digit; expected"
                " one or"
                " several words of up to 100 characters, or a list of such texts"
            ),
        ),
        (
            {"then": {}},
            "routing[0].then: gives nothing; expected any of team, priority and escalation_path",
        ),
        (
            {"then": {"team": None, "assignee": "none"}},
            "routing[0].then: gives nothing; expected any of team, priority and escalation_path",
        ),
        (
            {"then": {"team": "nok"}},
            (
                "routing[0].then.team: is 'nok', which is no team here; expected one of noc, field,"
                " desk; did you mean noc?"
            ),
        ),
        (
            {"then": {"team": "noc", "assignee": "round_robin"}},
            "routing[0].then.assignee: is 'round_robin'; expected none or spread",
        ),
        (
            {"then": {"assignee": "spread"}},
            (
                "routing[0].then.assignee: is 'spread' without a team; expected none, or a team"
                " beside"
                " it whose members can get the ticket"
            ),
        ),
        (
            {"then": {"team": "desk", "assignee": "spread"}},
            (
                "routing[0].then.assignee: is 'spread' over team 'desk', which has no members;"
                " expected"
                " none, or a team with at least one member"
            ),
        ),
        (
            {"then": {"escalation_path": [{"level": 2}, {"level": 2}]}},
            (
                "routing[0].then.escalation_path[1].level: is 2, after level 2; expected levels"
                " that"
                " rise from step to step"
            ),
        ),
        (
            {"then": {"escalation_path": [{"level": 1, "team": "NOC"}]}},
            (
                "routing[0].then.escalation_path[0].team: is 'NOC', which is no team here;"
                " expected one"
                " of noc, field, desk; did you mean noc?"
            ),
        ),
        (
            {"then": {"escalation_path": [{"level": "L2"}]}},
            "routing[0].then.escalation_path[0].level: is 'L2'; expected an integer from 1 to 99",
        ),
    ],
)
def test_a_faulty_rule_is_told_in_one_sentence(fields: dict[str, object], sentence: str) -> None:
    assert told(document(rule(**fields))) == [sentence]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            None,
            (
                "policy: is null; expected an object with any of tenant_id, settings, teams,"
                " routing, calendars, sla"
            ),
        ),
        ([], "policy: is a list without entries; expected an object with any of"),
        (
            {"tenant": "a"},
            (
                "tenant: is no field here; expected one of tenant_id, settings, teams,"
                " routing, calendars, sla; did you mean tenant_id?"
            ),
        ),
        ({"tenant_id": "a b"}, "tenant_id: is 'a b'; expected 1 to 255 of the characters"),
        (
            {"settings": {"reopen": 3}},
            (
                "settings.reopen: is no field here; expected one of"
                " reopen_days, auto_close_days; did you mean reopen_days?"
            ),
        ),
        (
            {"settings": {"reopen_days": -1}},
            ("settings.reopen_days: is the number -1; expected a number of days from 0 to 3,650"),
        ),
        ({"settings": {"reopen_days": True}}, "settings.reopen_days: is true; expected a number"),
        (
            {"settings": {"auto_close_days": 0}},
            (
                "settings.auto_close_days: is the number 0; expected"
                " a number of days above 0 and up to 3,650, or off"
            ),
        ),
        (
            {"teams": {"noc": [4711]}},
            (
                "teams.noc[0]: is the number 4711; expected a user id, text of"
                " 1 to 255 characters; such a value needs quotes here"
            ),
        ),
        (
            {"teams": {"noc": ["a", "b", "a"]}},
            ("teams.noc[2]: is 'a' again; expected each member once"),
        ),
        ({"teams": {" noc": []}}, "teams. noc: is ' noc'; expected an object of teams"),
        ({"teams": {"noc": "anna"}}, "teams.noc: is 'anna'; expected an object of teams"),
        ({"routing": {}}, "routing: is an object without entries; expected a list of rules"),
        (
            {"routing": [5]},
            ("routing[0]: is the number 5; expected an object with name, when and then"),
        ),
        (
            document(rule(), rule()),
            ("routing[1].name: is 'outages', as in an earlier rule; expected a name of its own"),
        ),
        (
            {"routing": [rule()]},
            (
                "routing[0].then.team: is 'noc', which is no team here; expected a"
                " team that the field teams has with its members"
            ),
        ),
    ],
)
def test_a_faulty_policy_is_told_in_one_sentence(given: object, sentence: str) -> None:
    (found,) = told(given)
    assert found.startswith(sentence)


def test_all_faults_are_told_at_once() -> None:
    assert len(told(document(rule(name=1), rule(when=2), 3, teams=4))) == 4
    broken = rule(when={}, then={"team": "x"})
    assert len(told(document(broken, {**broken, "name": "y"}))) == 4


def test_of_many_teams_some_are_named() -> None:
    teams: dict[str, list[str]] = {f"team{number}": [] for number in range(15)}
    (found,) = told(document(rule(), teams=teams))
    assert found.endswith("team10, team11 and 3 more")
