"""What the gate lets pass and what it stops: each kind of change, coming in and going out."""

from copy import deepcopy
from typing import Any

import pytest

from schemas.catalogue import Direction
from schemas.compatibility import Finding, compare, next_version
from schemas.json_schema import all_schemas
from schemas.text_patterns import in_any_case, trimmed

IN, OUT = Direction

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer", "minimum": 1, "maximum": 5}
WORD: Schema = {"type": "string", "enum": ["a", "b"]}
NULLABLE: Schema = {"anyOf": [TEXT, {"type": "null"}]}


def message(direction: Direction, field: Schema | None, **keywords: object) -> Schema:
    """The schema of a message with the field `x`, or without it."""
    return {
        "$id": "urn:isp-ticketing:thing:1",
        "x-direction": direction.value,
        "type": "object",
        "properties": {} if field is None else {"x": field},
        **keywords,
    }


def found(direction: Direction, old: Schema | None, new: Schema | None) -> list[Finding]:
    return compare([message(direction, old)], [message(direction, new)])


def breaks(findings: list[Finding]) -> bool:
    return any(each.is_breaking for each in findings)


def either(*words: str) -> Schema:
    """A word as the decoder takes it: listed, or in any case."""
    return {
        "anyOf": [
            {"type": "string", "enum": list(words)},
            {"type": "string", "pattern": in_any_case(words)},
        ]
    }


def of_length(least: int, most: int) -> Schema:
    return {"type": "string", "pattern": trimmed(None, least, most)}


NARROWER: list[tuple[str, Schema, Schema]] = [
    ("may be null no longer", NULLABLE, TEXT),
    ("a word goes", WORD, {"type": "string", "enum": ["a"]}),
    ("text becomes a list of words", TEXT, WORD),
    ("text becomes one word", TEXT, {"type": "string", "const": "a"}),
    ("a word goes, in any case", either("a", "b"), either("a")),
    ("one of its forms goes", either("a"), {"type": "string", "enum": ["a"]}),
    ("a number becomes an integer", {"type": "number"}, {"type": "integer"}),
    ("anything becomes text", {}, TEXT),
    ("the least grows", INTEGER, INTEGER | {"minimum": 2}),
    ("the most shrinks", INTEGER, INTEGER | {"maximum": 4}),
    ("there is a most now", TEXT, TEXT | {"maxLength": 9}),
    ("fewer items", {"type": "array", "maxItems": 9}, {"type": "array", "maxItems": 8}),
    ("a pattern comes", TEXT, TEXT | {"pattern": "^a"}),
    ("a format comes", TEXT, TEXT | {"format": "uuid"}),
    ("shorter text", of_length(3, 255), of_length(3, 200)),
    ("longer text at least", of_length(3, 255), of_length(4, 255)),
    ("items of less", {"type": "array", "items": {}}, {"type": "array", "items": TEXT}),
    ("items of anything no longer", {"type": "array"}, {"type": "array", "items": TEXT}),
    (
        "no other fields",
        {"type": "object"},
        {"type": "object", "additionalProperties": False},
    ),
    (
        "a field of an object is required",
        {"type": "object", "properties": {"y": TEXT}},
        {"type": "object", "properties": {"y": TEXT}, "required": ["y"]},
    ),
    (
        "a rule comes",
        {"type": "object"},
        {"type": "object", "allOf": [{"$comment": "Both or none.", "required": ["y"]}]},
    ),
    (
        "a kind of change goes",
        {"oneOf": [{"type": "object", "properties": {"k": {"const": k}}} for k in "abc"]},
        {"oneOf": [{"type": "object", "properties": {"k": {"const": k}}} for k in "ac"]},
    ),
]
"""Read forwards something narrows; read backwards it widens."""
names = [name for name, _, _ in NARROWER]


@pytest.mark.parametrize(("name", "old", "new"), NARROWER, ids=names)
def test_what_narrows_breaks_senders_alone(name: str, old: Schema, new: Schema) -> None:
    assert name
    assert breaks(found(IN, old, new))
    assert found(OUT, old, new)
    assert not breaks(found(OUT, old, new))


@pytest.mark.parametrize(("name", "new", "old"), NARROWER, ids=[f"not: {name}" for name in names])
def test_what_widens_breaks_subscribers_alone(name: str, old: Schema, new: Schema) -> None:
    assert name
    assert breaks(found(OUT, old, new))
    assert found(IN, old, new)
    assert not breaks(found(IN, old, new))


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TEXT, INTEGER),
        (TEXT, {"type": "array", "items": TEXT}),
        (TEXT | {"pattern": "^a"}, TEXT | {"pattern": "^b"}),
        (TEXT | {"format": "uuid"}, TEXT | {"format": "date-time"}),
        (of_length(3, 255), of_length(4, 256)),
        (either("a", "b"), either("a", "c")),
        (TEXT | {"default": "a"}, TEXT | {"default": "b"}),
        (TEXT, TEXT | {"contentEncoding": "base64"}),
        (
            {"type": "object", "minProperties": 1, "maxProperties": 2},
            {"type": "object", "minProperties": 2, "maxProperties": 3},
        ),
    ],
)
def test_another_form_breaks_both(direction: Direction, old: Schema, new: Schema) -> None:
    assert breaks(found(direction, old, new))


@pytest.mark.parametrize("direction", Direction)
def test_a_field_may_come_but_not_go(direction: Direction) -> None:
    (added,) = found(direction, None, TEXT)
    assert (added.path, added.what, added.is_breaking) == ("x", "is a new field", False)
    (removed,) = found(direction, TEXT, None)
    assert (removed.path, removed.what, removed.is_breaking) == ("x", "is no longer a field", True)


def test_a_new_field_that_is_required_breaks_senders() -> None:
    for direction in Direction:
        old, new = message(direction, None), message(direction, TEXT, required=["x"])
        assert breaks(compare([old], [new])) is (direction is IN)


def test_a_field_may_become_optional_coming_in_but_not_going_out() -> None:
    for direction in Direction:
        old, new = message(direction, TEXT, required=["x"]), message(direction, TEXT)
        assert breaks(compare([old], [new])) is (direction is OUT)


@pytest.mark.parametrize("direction", Direction)
def test_a_contract_may_come_but_not_go_nor_move(direction: Direction) -> None:
    schema = message(direction, TEXT)
    assert breaks(compare([schema], []))
    (new,) = compare([], [schema])
    assert (new.what, new.is_breaking) == ("is new", False)
    moved = schema | {"x-topic": "elsewhere"}
    assert breaks(compare([schema], [moved]))
    turned = schema | {"x-direction": OUT if direction is IN else IN}
    assert breaks(compare([schema], [turned]))


def test_a_version_beside_the_old_one_breaks_nobody() -> None:
    old = message(OUT, TEXT)
    second = message(OUT, INTEGER) | {"$id": next_version(old["$id"])}
    assert [each.sentence for each in compare([old], [old, second])] == [
        "urn:isp-ticketing:thing:2: it is new."
    ]


@pytest.mark.parametrize("direction", Direction)
def test_words_about_a_field_are_free(direction: Direction) -> None:
    old = message(direction, TEXT | {"description": "a", "title": "b"}, title="c")
    new = message(direction, TEXT | {"description": "d", "examples": ["e"]}, description="f")
    assert compare([old], [new]) == []


def test_words_about_a_rule_are_free() -> None:
    for rules in ([{"$comment": "a", "required": ["x"]}], [{"$comment": "b", "required": ["x"]}]):
        old = message(IN, TEXT, allOf=[{"required": ["x"]}])
        assert compare([old], [message(IN, TEXT, allOf=rules)]) == []


def test_names_of_definitions_are_free() -> None:
    old = message(IN, {"$ref": "#/$defs/A"}, **{"$defs": {"A": WORD}})
    new = message(IN, {"$ref": "#/$defs/B"}, **{"$defs": {"B": WORD, "C": TEXT}})
    assert compare([old], [new]) == []


def test_a_break_says_whom_it_breaks_and_the_way_out() -> None:
    (finding,) = found(OUT, WORD, {"type": "string", "enum": ["a", "b", "c"]})
    assert finding.sentence == (
        "urn:isp-ticketing:thing:1: x c is one of its words now: subscribers would get what they "
        "were never told of. Leave it as it is, and put urn:isp-ticketing:thing:2 beside it until "
        "nobody uses the old one."
    )


def test_what_breaks_is_told_first() -> None:
    old, new = message(IN, TEXT), message(IN, INTEGER)
    new["properties"] = {"a": TEXT} | new["properties"]
    assert [each.is_breaking for each in compare([old], [new])] == [True, False, False]


def test_todays_contracts_are_compatible_with_themselves() -> None:
    assert compare(all_schemas().values(), deepcopy(all_schemas()).values()) == []


def test_a_field_deep_in_a_real_contract_is_found() -> None:
    schemas = deepcopy(all_schemas())
    schemas["ticket.requested"]["$defs"]["Attachment"]["properties"].pop("size")
    schemas["ticket.escalated"]["$defs"]["EscalationPoint"]["required"].remove("team")
    rate = schemas["ticket.change_requested"]["$defs"]["Rate"]["properties"]
    rate["rating"]["maximum"] = 4
    found = compare(all_schemas().values(), schemas.values())
    assert [(each.contract.split(":")[2], each.path) for each in found] == [
        ("ticket.requested", "attachments[].size"),
        ("ticket.change_requested", "rating"),
        ("ticket.escalated", "from.team"),
        ("ticket.escalated", "to.team"),
    ]
    assert breaks(found)
