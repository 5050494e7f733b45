"""The SLA policies of a tenant: what they may say, and what is told of those that may not stand."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from schemas import durations
from schemas.sla_policy import PERCENT, TARGET
from schemas.vocabulary import PauseReason, Priority, Reopening, SlaMetric
from tests.unit.schemas.judged import accepted, told

TEAMS = {"noc": ["anna"], "field": []}
CALENDARS = {"office": {"timezone": "Europe/Vienna", "weekly": {"mon": [["09:00", "17:00"]]}}}
MINIMAL = {"name": "all", "targets": {"resolution": "4h"}}
HOUR = timedelta(hours=1)


def policy(**fields: object) -> dict[str, Any]:
    """An SLA policy; a field that is ... is left out."""
    whole = {**MINIMAL, **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def document(*policies: object, **fields: object) -> dict[str, Any]:
    return {"teams": TEAMS, "calendars": CALENDARS, "sla": list(policies), **fields}


def test_a_policy_says_no_more_than_it_must() -> None:
    (found,) = accepted(document(policy())).sla
    assert found.calendar is None
    assert found.pauses == (PauseReason.WAITING_FOR_CUSTOMER, PauseReason.SCHEDULED_VISIT)
    assert found.warnings == (50, 75, 90)
    assert found.reopening is Reopening.NEW_CYCLE
    assert (found.when.model_fields_set, found.ladder) == (set(), ())
    assert found.targets.of(SlaMetric.FIRST_RESPONSE) == {}
    assert found.targets.of(SlaMetric.RESOLUTION) == dict.fromkeys(Priority, 4 * HOUR)


def test_targets_are_by_priority_and_may_be_off() -> None:
    targets = {"first_response": "off", "resolution": {"critical": "90m", "LOW": "off"}}
    (found,) = accepted(document(policy(targets=targets))).sla
    assert found.targets.first_response == dict.fromkeys(Priority)
    assert found.targets.resolution == {Priority.URGENT: 1.5 * HOUR, Priority.LOW: None}


def test_a_step_of_a_ladder_is_of_the_resolution_unless_it_says_so() -> None:
    ladder = [{"at": "due", "level": 2}, {"at": "5m before due", "raise_priority": True}]
    (found,) = accepted(document(policy(ladder=ladder))).sla
    assert [step.metric for step in found.ladder] == [SlaMetric.RESOLUTION] * 2
    assert [step.at for step in found.ladder] == [timedelta(), timedelta(minutes=-5)]


def test_what_is_kept_of_a_policy_is_the_same_policy_with_its_defaults() -> None:
    whole = policy(
        when={"ticket_type": "Outage_Report", "priority": ["critical"], "team": "anybody's"},
        calendar="office",
        targets={"first_response": "900s", "resolution": {"medium": "210m", "urgent": "off"}},
        pauses="waiting_for_partner",
        warnings=[],
        reopening="continue",
        ladder=[{"at": "60m after  due", "user": "boss"}, {"at": "due", "raise_priority": True}],
    )
    same = policy(name="same", targets={"resolution": dict.fromkeys(Priority, "60m")})
    kept = accepted(document(whole, same)).document
    assert kept["calendars"] == CALENDARS
    assert kept["sla"] == [
        {
            "name": "all",
            "when": {
                "ticket_type": ["outage_report"],
                "priority": ["urgent"],
                "team": ["anybody's"],
            },
            "calendar": "office",
            "targets": {
                "first_response": "15m",
                "resolution": {"normal": "3h30m", "urgent": "off"},
            },
            "pauses": ["waiting_for_partner"],
            "warnings": [],
            "reopening": "continue",
            "ladder": [
                {"metric": "resolution", "at": "1h after due", "user": "boss"},
                {"metric": "resolution", "at": "due", "raise_priority": True},
            ],
        },
        {
            "name": "same",
            "targets": {"resolution": "1h"},
            "pauses": ["waiting_for_customer", "scheduled_visit"],
            "warnings": [50, 75, 90],
            "reopening": "new_cycle",
        },
    ]
    assert orjson.loads(orjson.dumps(kept)) == kept
    assert accepted(kept).document == kept


def test_a_document_without_sla_policies_is_as_it_was_before_there_were_any() -> None:
    assert accepted({}).document.keys() == {"settings", "teams", "routing"}


def test_the_hours_of_a_calendar_are_of_the_policy_too() -> None:
    named = {"weekly": {"timezone": "UTC", "weekly": {"mon": [["9", "25:00"]]}, "x": 1}}
    assert told(document(calendars=named)) == [
        (
            "calendars.weekly.weekly.mon[0][0]: is '9'; expected a time of day as HH:MM or HH:MM:SS"
            " from 00:00 to 23:59:59, and 24:00 only as a close"
        ),
        (
            "calendars.weekly.weekly.mon[0][1]: is '25:00'; expected a time of day as HH:MM or"
            " HH:MM:SS from 00:00 to 24:00"
        ),
        (
            "calendars.weekly.x: is no field here; expected one of timezone, weekly, holidays,"
            " annual_holidays, date_overrides"
        ),
    ]
    assert told({"calendars": {"a": {"timezone": "Europe/Viena", "holidays": ["2026-02-30"]}}}) == [
        (
            "calendars.a.timezone: is 'Europe/Viena'; expected the name of an IANA time zone such"
            " as Europe/Berlin; did you mean Europe/Vienna?"
        ),
        ("calendars.a.holidays[0]: is '2026-02-30' and is no date; expected a date as YYYY-MM-DD"),
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ...}, "name: is missing; expected text of 1 to 100 characters"),
        (
            {"wen": {}},
            (
                "wen: is no field here; expected one of name, when, calendar, targets, pauses,"
                " warnings, reopening, ladder; did you mean when?"
            ),
        ),
        (
            {"when": {"keywords": "fire"}},
            (
                "when.keywords: is no field here; expected one of ticket_type, priority,"
                " customer_tier, team"
            ),
        ),
        (
            {"when": {"team": []}},
            (
                "when.team: is a list without entries; expected a team's name of 1 to 100"
                " characters, or a list of such names"
            ),
        ),
        (
            {"calendar": "ofice"},
            (
                "calendar: is 'ofice', which is no calendar here; expected one of office;"
                " did you mean office?"
            ),
        ),
        (
            {"targets": ...},
            "targets: is missing; expected an object with any of first_response, resolution",
        ),
        (
            {"targets": {}},
            "targets: names no target; expected first_response or resolution, or both",
        ),
        ({"targets": {"resolution": {}}}, "targets.resolution: is an object without entries;"),
        ({"targets": {"resolution": None}}, f"targets.resolution: is null; expected {TARGET}"),
        (
            {"targets": {"resolution": 15}},
            f"targets.resolution: is the number 15; expected {TARGET}",
        ),
        (
            {"targets": {"resolution": "2d"}},
            (
                "targets.resolution: is '2d' and has days, whose business hours differ;"
                f" expected {TARGET}"
            ),
        ),
        (
            {"targets": {"resolution": {"high": "0s"}}},
            f"targets.resolution.high: is '0s' and is too short; expected {TARGET}",
        ),
        (
            {"targets": {"resolution": {"high": None}}},
            f"targets.resolution.high: is null; expected {TARGET}",
        ),
        (
            {"targets": {"resolution": {"hihg": "1h"}}},
            f"targets.resolution.hihg: is 'hihg'; expected {TARGET}; did you mean high?",
        ),
        (
            {"targets": {"resolution": {"normal": "1h", "medium": "2h"}}},
            (
                "targets.resolution: names normal twice, as 'normal' and 'medium';"
                f" expected {TARGET}"
            ),
        ),
        (
            {"pauses": ["waiting"]},
            (
                "pauses[0]: is 'waiting'; expected one of waiting_for_customer,"
                " waiting_for_partner, scheduled_visit"
            ),
        ),
        (
            {"pauses": ["scheduled_visit"] * 2},
            "pauses[1]: is 'scheduled_visit' again; expected each reason once",
        ),
        ({"warnings": [100]}, f"warnings[0]: is the number 100; expected {PERCENT}"),
        ({"warnings": ["50"]}, f"warnings[0]: is '50'; expected {PERCENT}"),
        (
            {"warnings": [50, 90, 75]},
            "warnings[2]: is 75, after 90; expected percents that rise, each once",
        ),
        ({"reopening": "never"}, "reopening: is 'never'; expected new_cycle or continue"),
        (
            {"ladder": [{"level": 1}]},
            f"ladder[0].at: is missing; expected {durations.OFFSET_FORM}",
        ),
        (
            {"ladder": [{"at": "1d after due", "level": 1}]},
            (
                "ladder[0].at: is '1d after due' and has days, whose business hours differ;"
                f" expected {durations.OFFSET_FORM}"
            ),
        ),
        (
            {"ladder": [{"at": 5, "level": 1}]},
            f"ladder[0].at: is the number 5; expected {durations.OFFSET_FORM}",
        ),
        (
            {"ladder": [{"at": "due", "raise_priority": False}]},
            "ladder[0]: does nothing; expected any of level, team, user and raise_priority",
        ),
        (
            {"ladder": [{"at": "due", "level": 0}]},
            "ladder[0].level: is the number 0; expected an integer from 1 to 99",
        ),
        (
            {"ladder": [{"at": "due", "team": "nok"}]},
            (
                "ladder[0].team: is 'nok', which is no team here; expected one of noc, field;"
                " did you mean noc?"
            ),
        ),
        (
            {"ladder": [{"at": "due", "level": 1, "metric": "first_response"}]},
            (
                "ladder[0].metric: is 'first_response', which has no clock by this policy;"
                " expected a metric that targets has a duration for"
            ),
        ),
        (
            {
                "ladder": [
                    {"at": "1h after due", "level": 2},
                    {"at": "due", "level": 3},
                    {"at": "5m after due", "user": "boss"},
                ]
            },
            (
                "ladder[0].level: is 2, below level 3 of an earlier time; expected levels that do"
                " not fall as time passes"
            ),
        ),
        (
            {"ladder": [{"at": "due", "level": 1}] * 21},
            "ladder: has 21 entries; expected at most 20 of them",
        ),
    ],
)
def test_a_faulty_policy_is_told_in_one_sentence(fields: dict[str, object], sentence: str) -> None:
    (found,) = told(document(policy(**fields)))
    assert found.startswith(f"sla[0].{sentence}"), found


def test_a_name_is_there_once_and_a_calendar_has_to_be_there() -> None:
    assert told(document(policy(), policy(calendar="office"), calendars={})) == [
        "sla[1].name: is 'all', as in an earlier SLA policy; expected a name of its own",
        (
            "sla[1].calendar: is 'office', which is no calendar here; expected a calendar that the"
            " field calendars has"
        ),
    ]


def test_levels_of_one_metric_say_nothing_of_those_of_the_other() -> None:
    targets = {"first_response": "1h", "resolution": "4h"}
    ladder = [
        {"metric": "first_response", "at": "due", "level": 5},
        {"metric": "resolution", "at": "30m before due", "level": 2},
        {"metric": "resolution", "at": "due", "level": 2},
    ]
    assert len(accepted(document(policy(targets=targets, ladder=ladder))).sla[0].ladder) == 3
