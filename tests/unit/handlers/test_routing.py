"""What a tenant's rules give a new request."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.routing import Routed, Step, compile_policy, spread
from schemas.policy import Policy
from schemas.policy_check import judge
from schemas.vocabulary import Priority, TicketType
from tests.records import some_id

TEAMS = {"noc": ["bert", "anna"], "field": ["carla"]}


def rule(name: str, when: Mapping[str, object], **then: object) -> dict[str, Any]:
    return {"name": name, "when": when, "then": then or {"team": "noc"}}


def stored(*rules: object) -> dict[str, Any]:
    """The document that is kept of a policy with these rules."""
    policy = judge({"teams": TEAMS, "routing": list(rules)})
    assert isinstance(policy, Policy), policy
    return policy.document


def routed(document: Mapping[str, Any], **request: object) -> Routed | None:
    facts: dict[str, Any] = {
        "ticket_id": some_id("ticket"),
        "ticket_type": None,
        "priority": Priority.NORMAL,
        "customer_tier": None,
        "service_address": None,
        "serials": (),
        "title": "No connection",
        "description": "The modem shows a red light.",
        **request,
    }
    return compile_policy(document, 1).route(**facts)


def name_of(found: Routed | None) -> str | None:
    return found and found.rule


@pytest.mark.parametrize(
    ("when", "request_", "matches"),
    [
        ({"ticket_type": "outage_report"}, {"ticket_type": TicketType.OUTAGE_REPORT}, True),
        ({"ticket_type": "outage_report"}, {"ticket_type": TicketType.SPEED_ISSUE}, False),
        ({"ticket_type": "outage_report"}, {"ticket_type": None}, False),
        ({"priority": ["high", "urgent"]}, {"priority": Priority.URGENT}, True),
        ({"priority": ["high", "urgent"]}, {"priority": Priority.NORMAL}, False),
        ({"customer_tier": "Gold"}, {"customer_tier": "GOLD"}, True),
        ({"customer_tier": ["gold", "silver"]}, {"customer_tier": "bronze"}, False),
        ({"customer_tier": "gold"}, {"customer_tier": None}, False),
        (
            {"address": "*, 101?? Berlin"},
            {"service_address": "Alexanderplatz 1, 10178 BERLIN"},
            True,
        ),
        ({"address": "*Berlin"}, {"service_address": "Berliner Str. 1, Bonn"}, False),
        ({"address": "*"}, {"service_address": None}, False),
        ({"address": "*"}, {"service_address": ""}, True),
        ({"address": ["*Bonn*", "*Ulm*"]}, {"service_address": "89073 Ulm"}, True),
        ({"serial": "ZTE-F6"}, {"serials": ("HW-1", "zte-f660-1")}, True),
        ({"serial": "ZTE-F6"}, {"serials": ("HW-1",)}, False),
        ({"serial": "*"}, {"serials": ()}, False),
        ({"keywords": "FIRE"}, {"title": "There is fire!"}, True),
        ({"keywords": "fire"}, {"title": "The firewall", "description": "is no friend"}, False),
        ({"keywords": "red light"}, {"description": "A red, light."}, True),
        ({"keywords": "red light"}, {"description": "A red or light one."}, False),
        ({"keywords": "red light"}, {"title": "It is red", "description": "light is out"}, False),
        ({"keywords": ["fire", "smoke"]}, {"description": "smoke"}, True),
        ({"keywords": "wi-fi"}, {"title": "WI FI is slow"}, True),
        ({"keywords": "störung"}, {"title": "STÖRUNG seit gestern"}, True),
        ({"keywords": "strasse"}, {"title": "Die Straße"}, True),
        ({"keywords": "बंद"}, {"title": "नेटवर्क बंद है"}, True),
        ({"keywords": "क"}, {"title": "कि"}, False),
        ({"priority": "high", "keywords": "fire"}, {"title": "fire"}, False),
        (
            {"priority": "high", "keywords": "fire"},
            {"title": "fire", "priority": Priority.HIGH},
            True,
        ),
    ],
)
def test_all_conditions_of_a_rule_must_hold(
    when: Mapping[str, object], request_: dict[str, object], *, matches: bool
) -> None:
    found = name_of(routed(stored(rule("it", when)), **request_))
    assert found == ("it" if matches else None)


def test_the_first_rule_that_matches_decides() -> None:
    document = stored(
        rule("gold", {"customer_tier": "gold"}),
        rule("normal", {"priority": "normal"}),
        rule("again", {"priority": "normal"}),
    )
    assert name_of(routed(document)) == "normal"
    assert name_of(routed(document, customer_tier="gold")) == "gold"
    assert routed(document, priority=Priority.LOW) is None


def test_a_rule_gives_all_that_it_names() -> None:
    path = [{"level": 1, "team": "noc"}, {"level": 3, "user": "boss"}]
    then = {"team": "field", "assignee": "spread", "priority": "critical", "escalation_path": path}
    found = routed(stored(rule("all", {"priority": "normal"}, **then)))
    steps = (Step(1, "noc", None), Step(3, None, "boss"))
    assert found == Routed("all", "field", "carla", Priority.URGENT, steps)


def test_what_a_rule_does_not_name_stays_as_it_was() -> None:
    found = routed(stored(rule("team", {"priority": "normal"}, team="noc")))
    assert found == Routed("team", "noc", None, Priority.NORMAL, ())


def test_without_a_policy_nothing_is_routed_and_the_defaults_hold() -> None:
    policy = compile_policy({}, 1)
    assert policy.reopen_days == 7
    assert routed({}) is None


def test_settings_are_the_tenants_own() -> None:
    policy = compile_policy({"settings": {"reopen_days": 0.5, "auto_close_days": 3}}, 1)
    assert policy.reopen_days == 0.5


def test_a_condition_of_a_newer_program_never_holds() -> None:
    newer = rule("newer", {"priority": ["normal"], "moon": ["full"]})
    older = rule("older", {"priority": ["normal"]})
    assert name_of(routed({"teams": TEAMS, "routing": [newer, older], "sla": {}})) == "older"


def test_a_policy_knows_whether_a_tier_matters() -> None:
    asking = compile_policy(stored(rule("it", {"customer_tier": "gold"})), 1)
    assert asking.asks_for_tiers
    assert not compile_policy(stored(rule("it", {"priority": "low"})), 1).asks_for_tiers


def test_the_order_of_members_in_the_file_means_nothing() -> None:
    document = stored(rule("it", {"priority": "normal"}, team="noc", assignee="spread"))
    turned = {**document, "teams": {"noc": list(reversed(TEAMS["noc"]))}}
    for number in range(20):
        ticket = some_id(number)
        assert routed(document, ticket_id=ticket) == routed(turned, ticket_id=ticket)


members = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=12, unique=True)


@given(st.uuids(), members)
def test_a_ticket_goes_to_one_member_always_the_same(ticket: object, team: list[str]) -> None:
    assert spread(str(ticket), team) in team
    assert spread(str(ticket), team) == spread(str(ticket), list(team))


@given(st.integers(0, 2**32), members)
def test_members_get_as_many_tickets_as_one_another(seed: int, team: list[str]) -> None:
    each = 200
    tickets = [str(uuid5(NAMESPACE_URL, f"{seed}:{n}")) for n in range(each * len(team))]
    counts = Counter(spread(ticket, team) for ticket in tickets)
    off = 6 * each**0.5  # six standard deviations: once in more examples than anybody will run
    assert all(abs(counts[member] - each) < off for member in team)


WORDS = ("fire", "smoke", "red", "light")
PLACES = ("Bonn", "Ulm", "Berlin")
texts = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
conditions = st.fixed_dictionaries(
    {},
    optional={
        "ticket_type": st.lists(st.sampled_from(list(TicketType)[:3]), min_size=1, max_size=2),
        "priority": st.lists(st.sampled_from(Priority), min_size=1, max_size=3),
        "customer_tier": st.lists(st.sampled_from(("gold", "silver")), min_size=1, max_size=2),
        "address": st.lists(st.sampled_from([f"*{place}*" for place in PLACES]), min_size=1),
        "serial": st.lists(st.sampled_from(("A", "AB", "B")), min_size=1, max_size=2),
        "keywords": st.lists(st.sampled_from((*WORDS, "red light", "light red")), min_size=1),
    },
).filter(bool)
requests = st.fixed_dictionaries(
    {
        "ticket_type": st.sampled_from((None, *list(TicketType)[:3])),
        "priority": st.sampled_from(Priority),
        "customer_tier": st.sampled_from((None, "gold", "silver", "bronze")),
        "service_address": st.sampled_from((None, *PLACES)),
        "serials": st.lists(st.sampled_from(("ABC", "BC", "CAB")), max_size=2),
        "title": texts,
        "description": texts,
    }
)


def holds(name: str, wanted: list[str], request: Mapping[str, Any]) -> bool:
    """A condition, in the plainest way there is."""
    match name:
        case "address":
            address = request["service_address"]
            return address is not None and any(glob.strip("*") in address for glob in wanted)
        case "serial":
            return any(serial.startswith(tuple(wanted)) for serial in request["serials"])
        case "keywords":
            said = (request["title"], request["description"])
            return any(re.search(rf"\b{word}\b", text) for word in wanted for text in said)
        case _:
            return request[name] in wanted


@given(st.lists(conditions, max_size=8), requests)
def test_no_rule_before_the_one_that_decides_matches(
    whens: list[dict[str, list[str]]], request: dict[str, Any]
) -> None:
    matching = [
        f"rule {number}"
        for number, when in enumerate(whens)
        if all(holds(name, wanted, request) for name, wanted in when.items())
    ]
    document = stored(*(rule(f"rule {number}", when) for number, when in enumerate(whens)))
    assert name_of(routed(document, **request)) == (matching[0] if matching else None)
