"""A policy as a file: what YAML means, and the line of everything that is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy_file import (
    MOST_BYTES,
    InvalidPolicy,
    Unreadable,
    read_document,
    read_policy,
)
from consumer.policy_page import as_yaml

POLICY = """\
tenant_id: acme
settings: {auto_close_days: off}
teams:
  noc: [anna]
routing:
  - name: outages
    when:
      priority: high
    then: {team: noc}
"""


def faults(text: str | bytes) -> list[str]:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(InvalidPolicy) as caught:
        read_policy("acme.yaml", content)
    found = str(caught.value).split("\n")
    assert caught.value.count == len(found)
    return found


def value_of(text: str) -> Any:  # noqa: ANN401  any JSON value
    return read_document(text.encode()).value


def test_yaml_and_json_say_the_same() -> None:
    policy = read_policy("acme.yaml", POLICY.encode())
    assert policy.tenant_id == "acme"
    for indent in (None, 2, "\t"):
        text = json.dumps(value_of(POLICY), indent=indent)
        assert read_policy("acme.json", text.encode()) == policy


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2026-12-25", "2026-12-25"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("12", 12),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ('"12"', "12"),
        ("'null'", "null"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        ('"\\ud83d\\ude80"', "\N{ROCKET}"),
        ("[&a x, *a]", ["x", "x"]),
        ("{12: a, no: b}", {"12": "a", "no": "b"}),
    ],
)
def test_words_mean_what_people_expect(text: str, value: object) -> None:
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("line", "replacement", "fault"),
    [
        (
            "tenant_id: acme",
            "tenant: acme",
            (
                "1: tenant: is no field here; expected one of tenant_id,"
                " settings, teams, routing, calendars, sla; did you mean tenant_id?"
            ),
        ),
        ("  noc: [anna]", "  noc:\n    - anna\n    - anna", "6: teams.noc[1]: is 'anna' again;"),
        ("      priority: high", "      priority: hihg", "8: routing[0].when.priority: is 'hihg';"),
        (
            "      priority: high",
            "      priority:\n        - high\n        - hihg",
            "10: routing[0].when.priority[1]: is 'hihg';",
        ),
        ("  - name: outages", "  -", "7: routing[0].name: is missing;"),
        ("    then: {team: noc}", "    then: {team: nok}", "9: routing[0].then.team: is 'nok',"),
        (
            "    then: {team: noc}",
            "    then: !x {team: noc}",
            ("9: routing[0].then: has the tag !x; expected none"),
        ),
        (
            "    then: {team: noc}",
            "    then: {team: noc, team: noc}",
            "9: routing[0].then.team: stands here again, after line 9; expected each field once",
        ),
        (
            "    then: {team: noc}",
            "    then: {[a]: noc}",
            "9: routing[0].then: has a name that is no text; expected text before each colon",
        ),
        ("    then: {team: noc}", "    then: {team: noc", "10: this is not YAML ("),
        ("    then: {team: noc}", "    then: *none", "9: this is not YAML (found undefined alias"),
        ("    then: {team: noc}", "\tthen: x", "9: this is not YAML ("),
        ("    then: {team: noc}", "---", "9: this is not YAML ("),
        (
            "    then: {team: noc}",
            '    then: "\\0"',
            ("9: routing[0].then: holds U+0000; expected text that a database can hold"),
        ),
        ("    then: {team: noc}", '    then: "\\ud83d"', "9: routing[0].then: holds half of a"),
        (
            "    then: {team: noc}",
            "    then: \x07",
            "9: the character U+0007 may not stand in YAML;",
        ),
    ],
)
def test_a_fault_is_told_with_file_line_and_field(line: str, replacement: str, fault: str) -> None:
    assert line in POLICY
    (found,) = faults(POLICY.replace(line, replacement))
    assert found.startswith(f"acme.yaml:{fault}"), found


SLA = """\
calendars:
  office:
    timezone: Europe/Vienna
    weekly:
      mon:
        - [09:00, 12:00]
        - ["13:00", 24:00]
    date_overrides:
      2026-12-24: [[09:00, 12:00]]
sla:
  - name: all
    calendar: office
    targets:
      first_response: off
      resolution:
        urgent: 4h
        normal: 90m
    ladder:
      - at: 30m before due
        level: 1
"""


@pytest.mark.parametrize(
    ("line", "replacement", "fault"),
    [
        ("    timezone: Europe/Vienna", "    zone: x", "2: calendars.office.timezone: is missing;"),
        (
            "        - [09:00, 12:00]",
            "        - [09:00, 25:00]",
            "6: calendars.office.weekly.mon[0][1]: is '25:00';",
        ),
        (
            "      2026-12-24: [[09:00, 12:00]]",
            "      2026-12-24: [[09:00, 12]]",
            "9: calendars.office.date_overrides.2026-12-24[0][1]: is the number 12;",
        ),
        ("    calendar: office", "    calendar: home", "12: sla[0].calendar: is 'home',"),
        (
            "        normal: 90m",
            "        normal: 90",
            "17: sla[0].targets.resolution.normal: is the",
        ),
        ("        level: 1", "        lvel: 1", "20: sla[0].ladder[0].lvel: is no field here;"),
        ("        level: 1", "        metric: resolution", "19: sla[0].ladder[0]: does nothing;"),
        (
            "    ladder:",
            "    warnings: 100\n    ladder:",
            "18: sla[0].warnings: is the number 100;",
        ),
    ],
)
def test_a_fault_of_service_levels_is_told_too(line: str, replacement: str, fault: str) -> None:
    assert line in SLA
    assert f"acme.yaml:{fault}" in "\n".join(faults(SLA.replace(line, replacement)))


def test_a_policy_that_is_shown_says_the_same() -> None:
    policy = read_policy("acme.yaml", (POLICY + SLA).encode())
    shown = as_yaml({"tenant_id": "acme", **policy.document})
    assert read_policy("shown.yaml", shown.encode()).document == policy.document
    for line in (
        "      first_response: 'off'",
        "        normal: 1h30m",
        "    - at: 30m before due",
    ):
        assert line.strip("- ") in shown, shown


def test_faults_come_in_the_order_of_lines() -> None:
    text = POLICY.replace("acme", "a b").replace("off", "never").replace("high", "hihg")
    assert [found.split(":")[1] for found in faults(text)] == ["1", "2", "8"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "1: the file is empty; expected a policy in YAML or JSON"),
        (b"# nothing\n", "1: the file is empty; expected a policy in YAML or JSON"),
        (
            b"teams:\n  M\xfcller: []",
            "2: the byte 0xfc is not UTF-8 text; expected a file saved as",
        ),
        (b"[" * 100_000, "1: this is nested too deep; expected at most 20 levels"),
        (b"a: &a [*a]", "1: this is nested too deep; expected at most 20 levels"),
        (b"x" * (MOST_BYTES + 1), f"1: the file has {MOST_BYTES + 1:,} bytes; expected at most"),
        (b"5", "1: policy: is the number 5; expected an object with any of"),
    ],
)
def test_what_is_no_policy_at_all_is_told(content: bytes, fault: str) -> None:
    (found,) = faults(content)
    assert found.startswith(f"acme.yaml:{fault}"), found


def test_aliases_of_aliases_end() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 8))
    (found,) = faults(text)
    assert "this has too many values; expected at most 50,000 of them" in found


def test_a_mark_at_the_beginning_is_passed_over() -> None:
    assert read_policy("acme.yaml", b"\xef\xbb\xbf" + POLICY.encode()).tenant_id == "acme"


@given(st.text(alphabet="ab:-[]{}&*!|>'\"\\#%@,? \n\t0.~\0ß\ud800"))
def test_whatever_stands_in_a_file_it_is_read_or_told(text: str) -> None:
    told = None
    try:
        json.dumps(read_document(text.encode("utf-8", "surrogatepass")).value)
    except Unreadable as error:
        told = error
    if told is not None:
        assert 1 <= told.line <= text.count("\n") + 1
        assert "; expected " in str(told)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(codec="utf-8", exclude_characters="\0")), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(("teams", "no", "12", "1e5")), values, max_size=3))
def test_what_is_shown_reads_as_it_was(document: dict[str, Any]) -> None:
    assert value_of(as_yaml(document)) == document


@pytest.mark.parametrize(
    "text", ["no", "1e5", "12", "null", "~", "0.5", ".5", "true", "12:30", "", " a"]
)
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    assert value_of(as_yaml({text: text})) == {text: text}
