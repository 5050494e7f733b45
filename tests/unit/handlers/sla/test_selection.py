"""Which of a tenant's SLA policies decides, and what it has a clock judged by."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.sla.calendar import ALWAYS
from handlers.sla.selection import CompiledSla, compile_sla
from handlers.sla.terms import DEFAULT_LEVELS, LadderStep, Terms, default_terms
from schemas.policy import Policy
from schemas.policy_check import judge
from schemas.vocabulary import PauseReason, Priority, Reopening, SlaMetric, TicketType

HOUR = timedelta(hours=1)
CALENDARS = {"office": {"timezone": "Europe/Vienna", "weekly": {"mon": [["09:00", "17:00"]]}}}


def sla(name: str, targets: object, **fields: object) -> dict[str, Any]:
    return {"name": name, "targets": targets, **fields}


def stored(*policies: object) -> dict[str, Any]:
    """The document that is kept of a policy with these SLA policies."""
    policy = judge({"teams": {"noc": []}, "calendars": CALENDARS, "sla": list(policies)})
    assert isinstance(policy, Policy), policy
    return policy.document


def compiled(*policies: object, version: int = 3) -> CompiledSla:
    return compile_sla(stored(*policies), version)


def facts(**given_: object) -> dict[str, Any]:
    """What is known of a ticket: nothing, unless a test says otherwise."""
    nothing = {"ticket_type": None, "customer_tier": None, "team": None}
    return {"priority": Priority.NORMAL, **nothing, **given_}


def decided(policies: CompiledSla, **given_: object) -> tuple[str | None, str | None]:
    """The names of the policies that decide the first response and the resolution."""
    choice = policies.choice(**facts(**given_))
    return choice.first_response.policy, choice.resolution.policy


def targets(policies: CompiledSla, **given_: object) -> tuple[timedelta | None, ...]:
    levels = policies.select(**facts(**given_))
    return tuple(None if terms is None else terms.target for terms in levels)


@pytest.mark.parametrize("document", [{}, {"sla": []}, {"calendars": CALENDARS, "settings": {}}])
def test_without_sla_policies_the_default_table_holds(document: dict[str, Any]) -> None:
    policies = compile_sla(document, 1)
    assert not policies.asks_for_tiers
    for priority in Priority:
        assert policies.select(**facts(priority=priority)) == DEFAULT_LEVELS[priority]


@pytest.mark.parametrize(
    ("when", "ticket", "holds"),
    [
        ({}, {}, True),
        ({"ticket_type": "outage_report"}, {"ticket_type": TicketType.OUTAGE_REPORT}, True),
        ({"ticket_type": "outage_report"}, {"ticket_type": None}, False),
        ({"priority": ["high", "urgent"]}, {"priority": Priority.URGENT}, True),
        ({"priority": ["high", "urgent"]}, {"priority": Priority.LOW}, False),
        ({"customer_tier": "Gold"}, {"customer_tier": "GOLD"}, True),
        ({"customer_tier": "straße"}, {"customer_tier": "STRASSE"}, True),
        ({"customer_tier": "gold"}, {"customer_tier": "silver"}, False),
        ({"customer_tier": "gold"}, {"customer_tier": None}, False),
        ({"team": ["a", "anybody's"]}, {"team": "anybody's"}, True),
        ({"team": "noc"}, {"team": "NOC"}, False),
        ({"team": "noc"}, {"team": None}, False),
        ({"team": "noc", "customer_tier": "gold"}, {"team": "noc"}, False),
        (
            {"team": "noc", "customer_tier": "gold"},
            {"team": "noc", "customer_tier": "gold"},
            True,
        ),
    ],
)
def test_all_conditions_must_hold(
    when: Mapping[str, object], ticket: dict[str, object], *, holds: bool
) -> None:
    policies = compiled(sla("it", {"resolution": "1h"}, when=when))
    assert decided(policies, **ticket) == (None, "it" if holds else None)


def test_the_policy_with_most_conditions_decides_and_then_the_earlier_one() -> None:
    policies = compiled(
        sla("all", {"resolution": "4h"}),
        sla("gold", {"resolution": "3h"}, when={"customer_tier": "gold"}),
        sla("noc", {"resolution": "2h"}, when={"team": "noc"}),
        sla("gold noc", {"resolution": "1h"}, when={"team": "noc", "customer_tier": "gold"}),
    )
    assert decided(policies)[1] == "all"
    assert decided(policies, team="noc")[1] == "noc"
    assert decided(policies, customer_tier="gold")[1] == "gold"
    assert decided(policies, customer_tier="gold", team="noc")[1] == "gold noc"
    turned = compiled(
        sla("noc", {"resolution": "2h"}, when={"team": ["noc", "a", "b"]}),
        sla("gold", {"resolution": "3h"}, when={"customer_tier": "gold"}),
    )
    assert decided(turned, customer_tier="gold", team="noc")[1] == "noc"


def test_metrics_and_priorities_without_a_target_are_left_to_others() -> None:
    policies = compiled(
        sla("noc", {"first_response": "5m"}, when={"team": "noc"}),
        sla("all", {"first_response": "30m", "resolution": {"high": "2h"}}),
    )
    assert decided(policies, team="noc", priority=Priority.HIGH) == ("noc", "all")
    assert decided(policies, team="noc", priority=Priority.LOW) == ("noc", None)
    assert targets(policies, team="noc", priority=Priority.LOW) == (HOUR / 12, 168 * HOUR)


def test_off_is_a_target_and_leaves_no_clock() -> None:
    policies = compiled(
        sla("none", {"resolution": {"low": "off"}}, when={"team": "noc"}),
        sla("all", {"resolution": "2h"}),
    )
    assert targets(policies, team="noc", priority=Priority.LOW) == (48 * HOUR, None)
    assert decided(policies, team="noc", priority=Priority.LOW) == (None, "none")
    assert targets(policies, team="noc") == (24 * HOUR, 2 * HOUR)


def test_terms_hold_all_that_the_policy_says() -> None:
    whole = sla(
        "all",
        {"first_response": "15m", "resolution": "2h"},
        calendar="office",
        pauses=["waiting_for_partner"],
        warnings=[10],
        reopening="continue",
        ladder=[
            {"at": "1h after due", "level": 3, "user": "boss"},
            {"at": "due", "metric": "first_response", "level": 1},
            {"at": "due", "level": 2, "team": "noc"},
            {"at": "due", "raise_priority": True},
            {"at": "30m before due", "level": 1},
        ],
    )
    first_response, resolution = compiled(whole).select(**facts())
    assert first_response is not None
    assert resolution is not None
    for terms, metric, target in (
        (first_response, SlaMetric.FIRST_RESPONSE, HOUR / 4),
        (resolution, SlaMetric.RESOLUTION, 2 * HOUR),
    ):
        assert (terms.metric, terms.target) == (metric, target)
        assert (terms.policy, terms.policy_version) == ("all", 3)
        assert (terms.calendar, terms.calendar_version) == ("office", 3)
        assert terms.pauses == {PauseReason.WAITING_FOR_PARTNER}
        assert (terms.warnings, terms.reopening) == ((10,), Reopening.CONTINUE)
        assert terms.hours is first_response.hours is not ALWAYS
    none = timedelta()
    assert first_response.ladder == (LadderStep("level:1", none, 1, None, None, False),)  # noqa: FBT003
    assert resolution.ladder == (
        LadderStep("level:1", -HOUR / 2, 1, None, None, False),  # noqa: FBT003
        LadderStep("level:2", none, 2, "noc", None, False),  # noqa: FBT003
        LadderStep(resolution.ladder[2].key, none, None, None, None, True),  # noqa: FBT003
        LadderStep("level:3", HOUR, 3, None, "boss", False),  # noqa: FBT003
    )


def test_a_step_has_the_same_key_in_every_policy_and_version() -> None:
    """What one has done is not done again after the ticket moved to another's clocks."""
    ladder = [{"at": "due", "level": 2}, {"at": "5m after due", "raise_priority": True}]
    more = [{"at": "5m before due", "level": 1}, {"at": "10m after due", "level": 2, "team": "noc"}]
    one = compiled(sla("one", {"resolution": "2h"}, ladder=ladder)).select(**facts())
    other = compiled(sla("other", {"resolution": "1h"}, ladder=[*more, *ladder])).select(**facts())
    assert one.resolution is not None
    assert other.resolution is not None
    keys = [step.key for step in other.resolution.ladder]
    assert len({*keys}) == len(keys) == 4
    assert {"level:1", "level:2"} <= {*keys}
    assert [step.key for step in one.resolution.ladder][1] in keys


def test_without_a_calendar_all_hours_count() -> None:
    _, terms = compiled(sla("all", {"resolution": "2h"})).select(**facts())
    assert terms is not None
    assert (terms.hours, terms.calendar, terms.calendar_version) == (ALWAYS, None, None)


def test_what_a_clock_is_judged_by_is_one_object_however_it_is_found() -> None:
    policies = compiled(sla("all", {"resolution": {"high": "2h", "low": "2h", "normal": "3h"}}))
    found: list[Terms | None] = [
        policies.select(**facts(priority=Priority.HIGH)).resolution,
        policies.select(**facts(priority=Priority.LOW, team="noc")).resolution,
        policies.terms("all", SlaMetric.RESOLUTION, 2 * HOUR),
    ]
    assert len(set(map(id, found))) == 1
    other = policies.terms("all", SlaMetric.RESOLUTION, 3 * HOUR)
    assert other is policies.select(**facts()).resolution
    assert other is not found[0]


def test_a_clock_keeps_its_policy_though_that_has_another_target_or_none() -> None:
    policies = compiled(sla("all", {"resolution": "2h"}, warnings=[5]))
    terms = policies.terms("all", SlaMetric.FIRST_RESPONSE, 7 * HOUR)
    assert terms is not None
    assert (terms.target, terms.warnings, terms.policy) == (7 * HOUR, (5,), "all")
    assert policies.terms("none", SlaMetric.RESOLUTION, HOUR) is None


def test_a_clock_without_a_policy_is_judged_by_the_default() -> None:
    policies = compiled()
    for priority in Priority:
        for terms in DEFAULT_LEVELS[priority]:
            assert terms is not None
            assert default_terms(terms.metric, terms.target) is terms
            assert policies.terms(None, terms.metric, terms.target) is terms
    terms = default_terms(SlaMetric.RESOLUTION, 5 * HOUR)
    assert (terms.target, terms.hours, terms.ladder) == (5 * HOUR, ALWAYS, ())
    assert (terms.policy, terms.policy_version, terms.calendar_version) == (None, None, None)
    assert terms.pauses == {PauseReason.WAITING_FOR_CUSTOMER, PauseReason.SCHEDULED_VISIT}
    assert (terms.warnings, terms.reopening) == ((50, 75, 90), Reopening.NEW_CYCLE)


def test_a_version_knows_whether_a_tier_matters() -> None:
    assert compiled(sla("it", {"resolution": "1h"}, when={"customer_tier": "x"})).asks_for_tiers
    assert not compiled(sla("it", {"resolution": "1h"}, when={"team": "x"})).asks_for_tiers


def test_a_condition_of_a_newer_program_never_holds_and_its_policy_is_known() -> None:
    newer = {
        "name": "newer",
        "when": {"moon": ["full"]},
        "targets": {"resolution": "1h", "next_response": "5m"},
        "ladder": [{"metric": "next_response", "at": "due", "level": 1}],
    }
    policies = compile_sla({"sla": [newer], "more": {}}, 1)
    assert decided(policies) == (None, None)
    terms = policies.terms("newer", SlaMetric.RESOLUTION, HOUR)
    assert terms is not None
    assert terms.ladder == ()


@pytest.mark.parametrize(
    "broken",
    [
        {"name": "x"},
        {"name": "x", "targets": {"resolution": "soon"}},
        {"name": "x", "targets": {"resolution": {"tomorrow": "1h"}}},
        {"name": "x", "targets": {"resolution": 5}},
        {"name": "x", "targets": {}, "calendar": "gone"},
        {"name": "x", "targets": {}, "pauses": ["sleep"]},
        {"name": "x", "targets": {}, "ladder": [{"at": "some day"}]},
        "x",
    ],
)
def test_what_is_of_another_form_is_no_document(broken: object) -> None:
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        compile_sla({"sla": [broken]}, 1)


TYPES = list(TicketType)[:3]
TIERS = ("gold", "silver", "bronze")
DUTIES = ("noc", "field", "desk")
some_targets = st.sampled_from(("1h", "2h", "3h", "off")) | st.dictionaries(
    st.sampled_from([priority.value for priority in Priority]),
    st.sampled_from(("4h", "5h", "off")),
    min_size=1,
)
some_policies = st.fixed_dictionaries(
    {
        "when": st.fixed_dictionaries(
            {},
            optional={
                "ticket_type": st.lists(st.sampled_from(TYPES), min_size=1, max_size=2),
                "priority": st.lists(st.sampled_from(Priority), min_size=1, max_size=3),
                "customer_tier": st.lists(st.sampled_from(TIERS), min_size=1, max_size=2),
                "team": st.lists(st.sampled_from(DUTIES), min_size=1, max_size=2),
            },
        ),
        "targets": st.fixed_dictionaries(
            {}, optional={metric.value: some_targets for metric in SlaMetric}
        ).filter(bool),
    }
)
some_tickets = st.fixed_dictionaries(
    {
        "ticket_type": st.sampled_from((None, *TYPES)),
        "priority": st.sampled_from(Priority),
        "customer_tier": st.sampled_from((None, *TIERS, "none of these")),
        "team": st.sampled_from((None, *DUTIES, "none of these")),
    }
)
HOURS = {"off": None, **{f"{count}h": count * HOUR for count in range(1, 6)}}


def plainly_selected(
    policies: list[dict[str, Any]], ticket: Mapping[str, Any], metric: SlaMetric
) -> tuple[str | None, timedelta | None]:
    """The name and the target, in the plainest way there is."""
    best: tuple[int, str, str] | None = None
    for number, policy in enumerate(policies):
        target = policy["targets"].get(metric)
        if isinstance(target, dict):
            target = target.get(ticket["priority"])
        if target is None or any(
            ticket[name] not in policy["when"][name] for name in policy["when"]
        ):
            continue
        if best is None or len(policy["when"]) > best[0]:
            best = (len(policy["when"]), str(number), target)
    if best is None:
        default = getattr(DEFAULT_LEVELS[ticket["priority"]], metric)
        return None, default.target
    return best[1], HOURS[best[2]]


@given(st.lists(some_policies, max_size=8), some_tickets)
def test_what_is_selected_is_what_the_rule_says(
    policies: list[dict[str, Any]], ticket: dict[str, Any]
) -> None:
    found = compiled(*({"name": str(number), **each} for number, each in enumerate(policies)))
    levels, choice = found.select(**ticket), found.choice(**ticket)
    assert levels == choice.levels
    for metric, terms, candidate in zip(SlaMetric, levels, choice, strict=True):
        name, target = plainly_selected(policies, ticket, metric)
        assert (candidate.policy, terms and terms.target) == (name, target)
        if terms is not None:
            assert terms is found.terms(terms.policy, metric, terms.target)
