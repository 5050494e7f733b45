"""Golden records of every released version: what became of them then becomes of them today."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.vocabulary import Outcome, RejectionCode
from tests.generated_docs import CONTRACT
from tests.golden_records import GOLDEN, Replay, records, value_of

VERSIONS = sorted(path for path in GOLDEN.iterdir() if path.is_dir())
every_version = pytest.mark.parametrize("folder", VERSIONS, ids=[each.name for each in VERSIONS])


def keeps(was: Any, now: Any) -> bool:  # noqa: ANN401  any JSON
    """Whether everything that was told is told still; a field may have come."""
    if isinstance(was, dict) and isinstance(now, dict):
        return all(name in now and keeps(each, now[name]) for name, each in was.items())
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(map(keeps, was, now))
    return bool(was == now)


@every_version
def test_a_golden_record_meets_the_same_end(folder: Path) -> None:
    replay = Replay()
    for number, line in enumerate(records(folder), 1):
        now = json.loads(json.dumps(replay.outcome(line)))
        assert keeps(line["expected"], now), f"record {number}"


@every_version
def test_what_was_published_keeps_its_released_schema(folder: Path) -> None:
    released = {
        schema["title"]: Draft202012Validator(schema)
        for path in (CONTRACT / "released" / folder.name).glob("*.json")
        for schema in [json.loads(path.read_text(encoding="utf-8"))]
    }
    replay = Replay()
    for line in records(folder):
        for fact in replay.outcome(line).get("facts", ()):
            assert released[fact["headers"]["ce_type"]].is_valid(fact["data"]), fact
        outcome = line["expected"]["outcome"]
        if outcome != "dead_lettered" and "content-type" not in dict(line["headers"]):
            value = value_of(line)
            if value is not None:
                assert released[line["topic"]].is_valid(json.loads(value)), line


def test_every_released_version_has_its_golden_records() -> None:
    released = {path.name for path in (CONTRACT / "released").iterdir()}
    assert released == {each.name for each in VERSIONS}


def test_golden_records_come_to_every_end_that_a_record_alone_can_come_to() -> None:
    lines = records(VERSIONS[-1])
    ends = {line["expected"]["outcome"] for line in lines}
    assert ends == {*Outcome, "applied"} - {Outcome.DUPLICATE, Outcome.PARKED}
    codes = {line["expected"].get("code") for line in lines} - {None}
    assert {RejectionCode.CUSTOMER_NOT_FOUND, RejectionCode.STALE} <= codes <= {*RejectionCode}


def test_a_field_may_come_and_nothing_else() -> None:
    assert keeps({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}], "d": 3})
    assert not keeps({"a": 1}, {"b": 1})
    assert not keeps({"a": [1]}, {"a": [1, 2]})
    assert not keeps({"a": 1}, {"a": "1"})
