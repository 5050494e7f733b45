"""Edits of dead letters: what they make of a value, and whether it is still the same request."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.letter_edit import (
    Edit,
    NotEditable,
    Put,
    UnusableEdit,
    edited,
    merged,
    parse_patch,
    parse_put,
    sets_identity,
    with_put,
)
from schemas.envelope import Headers

PLAIN = ()
EVENT = (("content-type", b"Application/CloudEvents+JSON; charset=utf-8"),)
BINARY = (("ce_id", b"1"), ("ce_source", b"portal"), ("content-type", b"application/json"))


def put(*texts: str) -> Edit:
    return Edit(puts=[parse_put(text) for text in texts])


def after(document: object, edit: Edit, headers: Headers = PLAIN) -> Any:  # noqa: ANN401  any JSON value
    return json.loads(edited(json.dumps(document).encode(), headers, edit))


def event(data: object, **attributes: object) -> dict[str, Any]:
    return (
        {"specversion": "1.0", "id": "1", "source": "portal", "type": "t"}
        | attributes
        | {"data": data}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("priority=high", Put(("priority",), "high")),
        ("customer_id=7", Put(("customer_id",), 7)),
        ('customer_id="7"', Put(("customer_id",), "7")),
        ("is_internal=true", Put(("is_internal",), value=True)),
        ("ticket_type=null", Put(("ticket_type",), None)),
        ("title=", Put(("title",), "")),
        ("title=a = b", Put(("title",), "a = b")),
        ("title= high ", Put(("title",), " high ")),
        ("x=NaN", Put(("x",), "NaN")),
        ("x=[1, 2]", Put(("x",), [1, 2])),
        ('x={"a": 1}', Put(("x",), {"a": 1})),
        ("x={a: 1}", Put(("x",), "{a: 1}")),
        ("context.routing.team=noc", Put(("context", "routing", "team"), "noc")),
        ("attachments[0].url=u", Put(("attachments", "0", "url"), "u")),
        ("attachments.0.url=u", Put(("attachments", "0", "url"), "u")),
        ("a[0][1]=x", Put(("a", "0", "1"), "x")),
        (" priority =low", Put(("priority",), "low")),
        ("Grüße=hallo", Put(("Grüße",), "hallo")),
    ],
)
def test_an_edit_is_read(text: str, expected: Put) -> None:
    found = parse_put(text)
    assert found == expected
    assert type(found.value) is type(expected.value)


@pytest.mark.parametrize("text", ["priority", "=high", ".a=1", "a..b=1", "a.=1", "a[=1", "a[x]=1"])
def test_what_is_no_edit_is_refused(text: str) -> None:
    with pytest.raises(UnusableEdit) as refused:
        parse_put(text)
    assert str(refused.value).endswith(".")
    assert "--set" in str(refused.value)


@pytest.mark.parametrize(
    ("path", "before", "expected"),
    [
        ("a=1", {}, {"a": 1}),
        ("a=1", {"a": {"b": 2}, "c": 3}, {"a": 1, "c": 3}),
        ("a.b.c=1", {}, {"a": {"b": {"c": 1}}}),
        ("a.b=1", {"a": None}, {"a": {"b": 1}}),
        ("a.b=1", {"a": {"c": 2}}, {"a": {"c": 2, "b": 1}}),
        ("a.0=x", {"a": ["y", "z"]}, {"a": ["x", "z"]}),
        ("a.2=x", {"a": ["y", "z"]}, {"a": ["y", "z", "x"]}),
        ("a.0.url=x", {"a": []}, {"a": [{"url": "x"}]}),
        ("a.1.url=x", {"a": [{"url": "y"}, {"url": "z"}]}, {"a": [{"url": "y"}, {"url": "x"}]}),
        ("a.0=x", {"a": {"0": "y"}}, {"a": {"0": "x"}}),
        ("0=x", ["y"], ["x"]),
    ],
)
def test_a_value_is_put_at_its_path(path: str, before: object, expected: object) -> None:
    kept = json.dumps(before)
    assert with_put(before, parse_put(path)) == expected
    assert json.dumps(before) == kept


@pytest.mark.parametrize(
    ("path", "before", "why"),
    [
        ("a.3=x", {"a": ["y"]}, "a is a list of 1, which has no place 3"),
        ("a.name=x", {"a": ["y"]}, "a is a list of 1, which has no place name"),
        ("a.b=x", {"a": "text"}, "a is text, which has no b"),
        ("a.b.c=x", {"a": {"b": 3}}, "a.b is a number, which has no c"),
        ("a=x", 3, "its value is a number, which has no a"),
    ],
)
def test_a_path_that_leads_nowhere_says_why(path: str, before: object, why: str) -> None:
    with pytest.raises(NotEditable) as refused:
        with_put(before, parse_put(path))
    assert str(refused.value) == why


RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]
"""Its appendix A, whole."""


@pytest.mark.parametrize(("target", "patch", "expected"), RFC_7396)
def test_a_merge_patch_is_the_rfcs(target: object, patch: object, expected: object) -> None:
    assert merged(target, patch) == expected


def test_a_patch_is_an_object_of_json() -> None:
    assert parse_patch(b'{"a": 1}', "p.json") == {"a": 1}
    for content, why in ((b"[1]", "is a list"), (b"{", "is not JSON"), (b"", "is not JSON")):
        with pytest.raises(UnusableEdit) as refused:
            parse_patch(content, "p.json")
        assert str(refused.value).startswith(f"p.json {why}")


def test_everything_of_an_edit_is_done_in_one_order() -> None:
    edit = Edit(b'{"a": 1, "b": 2}', {"a": 2, "c": 3}, [parse_put("c=4")])
    assert after({"other": True}, edit) == {"a": 2, "b": 2, "c": 4}


def test_the_data_of_a_structured_event_is_edited() -> None:
    edit = put("priority=high")
    assert after(event({"priority": "?"}), edit, EVENT) == event({"priority": "high"})
    assert after(event({"priority": "?"}), edit, BINARY)["priority"] == "high"
    coded = event(None, data_base64=base64.b64encode(b'{"priority": "?"}').decode())
    assert after(coded, edit, EVENT) == event({"priority": "high"})
    assert after(event(None), edit, EVENT) == event({"priority": "high"})


@pytest.mark.parametrize(
    ("value", "headers", "why"),
    [
        (None, PLAIN, "it has no value (a tombstone)"),
        (b"not json", PLAIN, "its value is not JSON"),
        (b"", PLAIN, "its value is not JSON"),
        (b"\xff\xfe\x00", PLAIN, "its value is UTF-16, by its byte order mark"),
        (b'{"data_base64": "?"}', EVENT, "its data_base64 is not Base64"),
        (b'{"data_base64": "fw=="}', EVENT, "its value is not JSON"),
    ],
)
def test_what_is_no_json_is_replaced_whole_or_not_at_all(
    value: bytes | None, headers: Headers, why: str
) -> None:
    with pytest.raises(NotEditable) as refused:
        edited(value, headers, put("priority=high"))
    assert str(refused.value).startswith(why)
    assert str(refused.value).endswith("only --value-from can replace it")
    assert edited(value, headers, Edit(b"anything")) == b"anything"


@pytest.mark.parametrize(
    "value",
    [
        b'{"x": 1e400}',
        b'{"x": -1e400}',
        b'{"x": [' + b"9" * 500 + b"]}",
        b'{"x": {"y": -' + b"9" * 500 + b"}}",
    ],
)
def test_a_number_that_would_come_out_as_another_is_left_alone(value: bytes) -> None:
    with pytest.raises(NotEditable, match="number"):
        edited(value, PLAIN, put("a=1"))


def test_what_an_edit_does_not_name_stays_as_it_is() -> None:
    document = {
        "big": 2**70,
        "float": 0.1,
        "text": "Grüße \u0000 \ud800",
        "deep": [[[{"a": None}]]],
        "": {"": 1},
    }
    assert after(document, put("title=x")) == document | {"title": "x"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5), JSON)
def test_any_document_keeps_everything_else(document: dict[str, Any], value: object) -> None:
    edit = Edit(puts=[Put(("title",), value)])
    assert after(document, edit) == document | {"title": value}


@given(JSON, JSON)
def test_a_patch_applied_twice_is_a_patch_applied_once(target: object, patch: object) -> None:
    once = merged(target, patch)
    assert merged(once, patch) == once


REQUEST = {"tenant_id": "north", "request_id": "r1", "title": "ab"}


@pytest.mark.parametrize(
    ("before", "now", "headers", "names"),
    [
        (REQUEST, REQUEST | {"title": "abc"}, PLAIN, []),
        (REQUEST, REQUEST | {"request_id": "r2"}, PLAIN, ["request_id"]),
        (REQUEST, REQUEST | {"request_id": None}, PLAIN, ["request_id"]),
        (REQUEST, REQUEST | {"tenant_id": "south"}, PLAIN, ["tenant_id"]),
        ({"request_id": None}, {}, PLAIN, []),
        ({"request_id": 1}, {"request_id": True}, PLAIN, ["request_id"]),
        (REQUEST, REQUEST | {"id": "2", "source": "x"}, PLAIN, []),
        (event(REQUEST), event(REQUEST | {"title": "abc"}), EVENT, []),
        (event(REQUEST), event(REQUEST, id="2"), EVENT, ["id"]),
        (event(REQUEST), event(REQUEST, source="x"), EVENT, ["source"]),
        (event(REQUEST), event({}), EVENT, ["tenant_id", "request_id"]),
        (event(REQUEST), event(REQUEST, type="x", time="y"), EVENT, []),
        ([1], REQUEST, PLAIN, ["tenant_id", "request_id"]),
    ],
)
def test_who_a_request_is_may_change(
    before: object, now: object, headers: Headers, names: list[str]
) -> None:
    one, other = json.dumps(before).encode(), json.dumps(now).encode()
    assert sets_identity(one, other, headers) == names
    assert sets_identity(one, one, headers) == []


def test_what_could_not_be_read_claimed_nothing() -> None:
    value = json.dumps(REQUEST).encode()
    assert sets_identity(b"\xff", value, PLAIN) == ["tenant_id", "request_id"]
    assert sets_identity(None, value, PLAIN) == ["tenant_id", "request_id"]
    assert sets_identity(b"\xff", b'{"title": "x"}', PLAIN) == []


def test_an_edit_says_whether_it_names_who_the_request_is() -> None:
    assert put("title=x", "context.tenant_id=x").identity == []
    assert put("request_id=x", "tenant_id=y").identity == ["tenant_id", "request_id"]
    assert Edit(patch={"tenant_id": "x"}).identity == ["tenant_id"]
    assert Edit(b"{}").identity == []


def test_an_edit_describes_itself() -> None:
    edit = Edit(b"12345", {"a": 1, "b": 2}, [parse_put("c.d=4"), parse_put("e=" + "x" * 99)])
    assert edit.describe() == (
        'the value replaced by 5 bytes, patch of a, b, c.d=4, e="' + "x" * 59 + "..."
    )
    assert Edit().describe() == ""
    assert Edit().is_nothing
