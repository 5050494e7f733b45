"""A verdict without any server, with the fields that nobody would read."""

import json

import pytest

from consumer.cli.unknown_fields import UnknownField
from consumer.cli.validation import judge

REQUEST = {
    "tenant_id": "north",
    "customer_id": 4711,
    "title": "No internet",
    "description": "Since this morning.",
}


def judged(**fields: object) -> tuple[UnknownField, ...]:
    verdict = judge(json.dumps(REQUEST | fields).encode())
    assert verdict.is_valid
    return verdict.unknown


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        ({}, []),
        ({"titel": "x"}, [UnknownField("titel", "title")]),
        ({"xyzzy": 1}, [UnknownField("xyzzy", None)]),
        ({"context": {"anything": 1}}, []),
        ({"actor": {"type": "customer", "idd": "x"}}, [UnknownField("actor.idd", "actor.id")]),
        (
            {"attachments": [{"name": "a", "url": "https://x.example", "sise": 1}]},
            [UnknownField("attachments[0].sise", "attachments[0].size")],
        ),
    ],
)
def test_unknown_fields_are_named_with_the_nearest_known_one(
    fields: dict[str, object], unknown: list[UnknownField]
) -> None:
    assert list(judged(**fields)) == unknown


def test_an_invalid_request_is_told_by_field_problem_and_form() -> None:
    verdict = judge(b'{"tenant_id": "north"}')
    assert not verdict.is_valid
    assert verdict.summary.startswith("invalid: title: is missing; expected text of 3 to 255")
    assert verdict.as_json()["path"] == "title"


def test_an_unknown_field_reads_as_a_sentence() -> None:
    assert str(UnknownField("titel", "title")) == "titel: unknown, ignored; did you mean title?"
    assert str(UnknownField("xyzzy", None)) == "xyzzy: unknown, ignored"
