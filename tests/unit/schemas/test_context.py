import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.context import MOST_BYTES, Context, ContextObject
from tests.unit.schemas.documents import encoded

adapter: TypeAdapter[ContextObject] = TypeAdapter(Context)

texts = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-(10**300), 10**300)
floats = st.floats(allow_nan=False, allow_infinity=False)


def objects(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[dict[str, Any]]:
    """Any JSON objects with these numbers."""
    values: st.SearchStrategy[Any] = st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=20,
    )
    return st.dictionaries(texts, values, max_size=5)


@given(objects(integers | floats))
def test_its_json_says_the_same(context: dict[str, Any]) -> None:
    kept = adapter.validate_json(encoded(context))
    assert kept == context
    assert json.loads(kept.json) == context


@given(objects(integers))
def test_its_json_is_compact(context: dict[str, Any]) -> None:
    compact = json.dumps(context, ensure_ascii=False, separators=(",", ":"))
    assert adapter.validate_json(encoded(context)).json == compact


def test_text_is_not_escaped_and_integers_of_any_size_are_exact() -> None:
    large = 123456789012345678901234567890
    assert adapter.validate_json(encoded({"ü": ["\u2028", large]})).json == (
        f'{{"ü":["\u2028",{large}]}}'
    )


@pytest.mark.parametrize("filler", ["x", "ü", "€", "😀"])
def test_it_may_take_32_kib_as_json_in_utf8(filler: str) -> None:
    width = len(filler.encode())
    room = MOST_BYTES - len('{"a":""}')
    text = filler * (room // width) + "x" * (room % width)
    assert len(adapter.validate_json(encoded({"a": text})).json.encode()) == MOST_BYTES
    with pytest.raises(ValidationError, match="is 32,769 bytes as JSON"):
        adapter.validate_json(encoded({"a": text + "x"}))


@pytest.mark.parametrize("number", ["1e308", "-1.7e308", "1e-400", "1" + "0" * 308, "-0.0"])
def test_a_number_that_a_double_can_hold_is_kept(number: str) -> None:
    kept = adapter.validate_json(f'{{"a":{{"b":[{number}]}}}}')
    assert json.loads(kept.json) == json.loads(f'{{"a":{{"b":[{number}]}}}}')


@pytest.mark.parametrize("number", ["1e309", "-1e400", "18" + "0" * 307, "1" + "0" * 309])
def test_a_number_that_no_double_can_hold_is_refused(number: str) -> None:
    with pytest.raises(ValidationError, match="holds a number that no double can hold"):
        adapter.validate_json(f'{{"a":{{"b":[{number}]}}}}')


def test_words_and_digits_in_texts_are_no_numbers() -> None:
    context = {"a": "NaN, Infinity and " + "9" * 400}
    assert adapter.validate_json(encoded(context)) == context


@pytest.mark.parametrize("context", [{"a": "\ud800"}, {"\udfff": 1}, {"a": ["\ud800x"]}])
def test_half_of_a_surrogate_pair_is_refused(context: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="holds half of a surrogate pair"):
        adapter.validate_python(context)


@pytest.mark.parametrize("value", ["[]", '"a"', "1", "true", '[["a",1]]'])
def test_only_an_object_is_a_context(value: str) -> None:
    with pytest.raises(ValidationError, match=r"should be (an object|a valid dictionary)"):
        adapter.validate_json(value)
