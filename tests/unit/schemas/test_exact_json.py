import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.exact_json import DEEPEST, NotJson, is_too_deep, parse

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


def fault(value: bytes) -> str:
    with pytest.raises(NotJson) as error:
        parse(value)
    return error.value.problem


@given(json_values, st.booleans())
def test_any_json_is_read(value: object, is_ascii: bool) -> None:  # noqa: FBT001  drawn, not called
    text = json.dumps(value, ensure_ascii=is_ascii, allow_nan=True)
    if "Infinity" not in text:
        encoded = text.encode("utf-8", "surrogatepass")
        try:
            encoded.decode()
        except UnicodeDecodeError:
            assert fault(encoded).startswith("is not UTF-8")
        else:
            assert parse(encoded) == value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"NaN", "holds NaN, which JSON does not have"),
        (b'{"a":[NaN]}', "holds NaN, which JSON does not have"),
        (b"Infinity", "holds Infinity, which JSON does not have"),
        (b"[-Infinity]", "holds -Infinity, which JSON does not have"),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark"),
        ("{}".encode("utf-16"), "is UTF-16, by its byte order mark"),
        ('{"a":1}'.encode("utf-16-le"), "is UTF-16, by its zero bytes"),
        ('{"a":1}'.encode("utf-16-be"), "is UTF-16, by its zero bytes"),
        (b"\0\0\0", "starts with a zero byte"),
        (
            b'\0\0\0\0\7{"a":1}',
            "begins with the Confluent wire format (magic byte 0, schema id 7)",
        ),
        (
            b"\0\1\2\3\4{}",
            "begins with the Confluent wire format (magic byte 0, schema id 16909060)",
        ),
        (  # Avro, which is no UTF-8
            b"\0\0\0\0\x11\xff\xfe",
            "begins with the Confluent wire format (magic byte 0, schema id 17)",
        ),
        (  # however many brackets it holds
            b"\0\0\0\1\x11" + b"[" * 300,
            "begins with the Confluent wire format (magic byte 0, schema id 273)",
        ),
        (b'{"a":"\xff"}', "is not UTF-8 (byte 6)"),
        (b'{"a":"\xed\xa0\x80"}', "is not UTF-8 (byte 6)"),
        (b'{"a":"\xc0\x80"}', "is not UTF-8 (byte 6)"),
    ],
)
def test_the_problem_is_named(value: bytes, problem: str) -> None:
    assert fault(value) == problem


@pytest.mark.parametrize(
    "value",
    [
        b" ",
        b"{",
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"0x1",
        b"1e",
        b'"a\tb"',
        b'"a\0b"',
        b'"\\x"',
        b'"\\u12"',
        b'"a',
        b"True",
        b"{} {}",
        b"{}//",
        b"\x0c1",
        b"\xa0",
        b"<ticket/>",
        b"title=ab",
    ],
)
def test_what_is_no_json_is_refused(value: bytes) -> None:
    assert fault(value).startswith(("is not JSON (", "is not UTF-8 ("))


def test_of_a_repeated_name_the_last_counts() -> None:
    assert parse(b'{"a":1,"b":2,"a":3}') == {"a": 3, "b": 2}


@pytest.mark.parametrize("number", ["-0", "1e400", "-1e400", "1e-400", "1.5E3", "9" * 4_000])
def test_numbers_are_read_as_python_reads_them(number: str) -> None:
    assert repr(parse(number.encode())) == repr(json.loads(number))


@pytest.mark.parametrize("sign", [1, -1])
def test_an_integer_of_thousands_of_digits_is_far_too_large_and_no_more(sign: int) -> None:
    value = parse(f"{'-' if sign < 0 else ''}{'9' * 100_000}".encode())
    assert isinstance(value, int)
    assert abs(value) > 10**309
    assert (value > 0) is (sign > 0)


def test_half_of_a_surrogate_pair_is_read_for_fields_that_nobody_keeps() -> None:
    assert parse(b'{"a":"\\ud800","b":"\\ud83d\\ude00"}') == {"a": "\ud800", "b": "😀"}


@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"]":', b"}"), (b'["{\\"",', b"]")]
)
def test_a_hundred_levels_are_read_and_no_more(opening: bytes, closing: bytes) -> None:
    parse(opening * DEEPEST + b"1" + closing * DEEPEST)
    deeper = opening * (DEEPEST + 1) + b"1" + closing * (DEEPEST + 1)
    assert fault(deeper) == "is nested deeper than 100 levels"


@pytest.mark.parametrize(
    "value",
    [
        b"[" * 200_000,
        b'[{"a":' * 100_000,
        b'["' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_brackets_without_end_are_refused_without_recursion(value: bytes) -> None:
    assert fault(value).startswith("is n")


def test_many_brackets_side_by_side_are_not_deep() -> None:
    value: list[object] = [[], {}] * 10_000
    assert parse(json.dumps(value).encode()) == value


@given(st.lists(st.sampled_from(['"', "\\", "[", "]", "{", "}", "a", "\\\\", '\\"']), max_size=40))
def test_brackets_in_texts_do_not_count(pieces: list[str]) -> None:
    text = "".join(pieces) * 20
    encoded = json.dumps([text] * 5).encode()
    assert parse(encoded) == [text] * 5
    assert not is_too_deep(encoded)


def depth_of(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(depth_of, value.values()), default=0)
        case list():
            return 1 + max(map(depth_of, value), default=0)
        case _:
            return 0


@given(json_values, st.integers(0, 110), st.booleans())
def test_depth_is_counted_exactly(value: Any, levels: int, in_objects: bool) -> None:  # noqa: ANN401, FBT001  drawn
    for _ in range(levels):
        value = {"]": value, "[": []} if in_objects else ["{", value, {}]
    encoded = json.dumps(value).encode()
    assert is_too_deep(encoded) is (depth_of(value) > DEEPEST)


@given(st.binary())
def test_no_bytes_break_it(value: bytes) -> None:
    try:
        parse(value)
    except NotJson as error:
        assert error.problem  # noqa: PT017  either way is right
