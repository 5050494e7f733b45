"""docs/policies.md holds what it shows: the example is valid, and its rules do what they say."""

import json
import re

import pytest

from consumer.contract_story import REQUEST
from consumer.policy_file import InvalidPolicy, read_policy
from consumer.policy_trial import tried
from handlers.routing import compile_policy
from handlers.sla.terms import DEFAULT_LEVELS
from schemas.durations import duration_text
from schemas.vocabulary import Priority, SlaMetric
from tests.generated_docs import ROOT

PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


EXAMPLE = block("yaml")
OUTAGE = {"ticket_type": "outage_report", "customer_tier": "Gold"}


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"title": "A burning smell!"}, "fire and smoke"),
        (
            OUTAGE | {"service_address": "Am Graben 1, 6020 Innsbruck"},
            "outages of gold customers in the Inn valley",
        ),
        (OUTAGE | {"service_address": "Ring 1, 1010 Wien"}, "all else"),
        ({"device_serial_numbers": ["zte-f670-1"]}, "modems of the recalled series"),
        ({"ticket_type": "billing_issue"}, "everything about money"),
        ({}, "all else"),
    ],
)
def test_the_rules_of_the_example_do_what_they_say(fields: dict[str, object], rule: str) -> None:
    policy = read_policy("alpine-net.yaml", EXAMPLE.encode())
    request = {**REQUEST, "assigned_team": None, **fields}
    trial = tried(
        compile_policy(policy.document, 1), policy.tenant_id, 1, json.dumps(request).encode()
    )
    assert trial.as_json()["rule"] == rule


@pytest.mark.parametrize(
    ("fields", "first_response", "resolution"),
    [
        (
            OUTAGE | {"priority": "normal"},
            ("outages of gold customers", 15 * 60, None),
            ("outages of gold customers", 12 * 3600, None),
        ),
        (
            OUTAGE | {"priority": "low"},
            ("outages of gold customers", 15 * 60, None),
            ("office hours", 80 * 3600, "office"),
        ),
        ({}, ("office hours", 8 * 3600, "office"), ("office hours", 40 * 3600, "office")),
        ({"priority": "urgent"}, (None, 3600, None), (None, 8 * 3600, None)),
        (
            {"ticket_type": "cancellation_request"},
            ("cancellations", None, None),
            ("office hours", 40 * 3600, "office"),
        ),
    ],
)
def test_the_sla_policies_of_the_example_do_what_they_say(
    fields: dict[str, object],
    first_response: tuple[str | None, int | None, str | None],
    resolution: tuple[str | None, int | None, str | None],
) -> None:
    policy = read_policy("alpine-net.yaml", EXAMPLE.encode())
    request = {**REQUEST, "assigned_team": None, "ticket_type": None, "priority": None, **fields}
    trial = tried(
        compile_policy(policy.document, 1), policy.tenant_id, 1, json.dumps(request).encode()
    )
    said = trial.as_json()["sla"]
    assert tuple(said["first_response"].values()) == first_response
    assert tuple(said["resolution"].values()) == resolution


def test_the_default_targets_that_are_shown_are_the_default() -> None:
    for metric in SlaMetric:
        (row,) = re.findall(rf"^\| {metric.replace('_', ' ')} \| (.*) \|$", PAGE, re.MULTILINE)
        wanted = [
            getattr(DEFAULT_LEVELS[priority], metric).target for priority in reversed(Priority)
        ]
        assert row.split(" | ") == [duration_text(target) for target in wanted]


def test_the_answer_that_is_shown_is_the_answer() -> None:
    policy = read_policy("alpine-net.yaml", EXAMPLE.encode())
    request = {**REQUEST, "assigned_team": None, "description": "I smell fire."}
    trial = tried(
        compile_policy(policy.document, 1), policy.tenant_id, 1, json.dumps(request).encode()
    )
    assert {"line": 1, **trial.as_json()} == json.loads(block("json"))


def test_the_error_that_is_shown_is_the_error() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        read_policy("alpine-net.yaml", EXAMPLE.replace("keywords", "keyword").encode())
    assert str(caught.value) == block("text").strip()
