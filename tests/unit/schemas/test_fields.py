"""Every type at its boundaries, and that nothing is coerced on the way."""

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.fields import (
    LARGEST_EXTERNAL_ID,
    ActorTypeWord,
    Address,
    Comment,
    ContentType,
    CustomerId,
    ExternalId,
    Flag,
    HttpUrl,
    Item,
    Items,
    Level,
    LongText,
    NullIs,
    PriorityWord,
    Rating,
    Sequence,
    ShortText,
    Size,
    StatusWord,
    TenantId,
    TicketNumber,
    TicketTypeWord,
    Title,
    Uuid,
)
from schemas.vocabulary import Priority
from tests.unit.schemas.documents import CUSTOMER, encoded

TEXTS = [
    (Title, 3, 255),
    (LongText, 1, 65_536),
    (Address, 0, 500),
    (Comment, 0, 4_000),
    (Item, 1, 100),
    (ShortText, 1, 255),
    (ContentType, 0, 127),
]
ALL_TEXTS: list[Any] = [
    *(form for form, _, _ in TEXTS),
    *(TenantId, Uuid, TicketNumber, HttpUrl, PriorityWord, TicketTypeWord, ActorTypeWord),
    StatusWord,
]
WHITE_SPACE = " \t\n\v\f\r\x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"


def both_ways(form: Any, value: object) -> Any:  # noqa: ANN401  any value of any type
    """The value as validated from JSON, which must agree with that from Python."""
    adapter: TypeAdapter[Any] = TypeAdapter(form)
    from_python = adapter.validate_python(value)
    assert adapter.validate_json(encoded(value)) == from_python
    return from_python


def refuses(form: Any, value: object) -> bool:  # noqa: ANN401  any type
    adapter: TypeAdapter[Any] = TypeAdapter(form)
    with pytest.raises(ValidationError):
        adapter.validate_python(value)
    with pytest.raises(ValidationError):
        adapter.validate_json(encoded(value))
    return True


@pytest.mark.parametrize(("form", "least", "most"), TEXTS, ids=[str(text[1:]) for text in TEXTS])
@pytest.mark.parametrize("character", ["x", "ü", "😀", "\u0301"])
def test_lengths_count_code_points_after_trimming(
    form: Any,  # noqa: ANN401  any type
    least: int,
    most: int,
    character: str,
) -> None:
    for length in {least, most}:
        text = character * length
        assert both_ways(form, f"{WHITE_SPACE}{text}{WHITE_SPACE}") == text
    assert refuses(form, f" {character * (most + 1)} ")
    assert least == 0 or refuses(form, f" {character * (least - 1)} ")


@pytest.mark.parametrize("character", ["\u200b", "\ufeff", "\x1f"])
def test_what_is_no_white_space_is_kept(character: str) -> None:
    assert both_ways(ShortText, f"{character}a{character}") == f"{character}a{character}"


def test_text_is_not_normalised() -> None:
    assert both_ways(ShortText, "e\u0301 a  b") == "e\u0301 a  b"


@pytest.mark.parametrize("value", [5, 0.5, True, None, ["abc"], {"a": "b"}])
def test_only_text_is_text(value: object) -> None:
    assert all(refuses(form, value) for form in ALL_TEXTS)


@pytest.mark.parametrize("tenant", ["a", "A-z_0.9", "x" * 255, "..", "-"])
def test_tenants_of_the_alphabet_are_accepted(tenant: str) -> None:
    assert both_ways(TenantId, f" {tenant} ") == tenant


@pytest.mark.parametrize("tenant", ["", " ", "a b", "a/b", "ä", "x" * 256, "a\n b", "a:b", "٣"])
def test_other_tenants_are_refused(tenant: str) -> None:
    assert refuses(TenantId, tenant)


def test_a_uuid_is_kept_in_its_canonical_form() -> None:
    assert both_ways(Uuid, f" {CUSTOMER.upper()} ") == CUSTOMER


@pytest.mark.parametrize(
    "text",
    [
        CUSTOMER.replace("-", ""),
        f"{{{CUSTOMER}}}",
        f"urn:uuid:{CUSTOMER}",
        CUSTOMER[:-1],
        CUSTOMER + "0",
        CUSTOMER.replace("3f", "3g"),
        "",
        "123",
        CUSTOMER.replace("3", "٣", 1),
    ],
)
def test_another_text_is_no_uuid(text: str) -> None:
    assert refuses(Uuid, text)


@pytest.mark.parametrize("reference", [0, 1, LARGEST_EXTERNAL_ID])
def test_a_customer_may_be_named_by_an_integer(reference: int) -> None:
    assert both_ways(CustomerId, reference) == reference
    assert both_ways(ExternalId, reference) == reference


def test_a_customer_may_be_named_by_a_uuid() -> None:
    assert both_ways(CustomerId, CUSTOMER.upper()) == CUSTOMER


@pytest.mark.parametrize(
    "reference",
    [-1, LARGEST_EXTERNAL_ID + 1, 10**400, "123", "", 1.0, 1e3, True, [1], {"id": 1}, None],
)
def test_a_customer_is_named_by_nothing_else(reference: object) -> None:
    assert refuses(CustomerId, reference)
    assert refuses(ExternalId, reference)


def test_a_wrong_customer_is_one_error_of_the_field_itself() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(dict[str, CustomerId])
    with pytest.raises(ValidationError) as error:
        adapter.validate_python({"customer_id": True})
    assert [detail["loc"] for detail in error.value.errors()] == [("customer_id",)]


@pytest.mark.parametrize("number", ["TCK-0123456789AB", "tck-0123456789ab", " Tck-ABCDEFabcdef "])
def test_a_ticket_number_is_kept_in_capitals(number: str) -> None:
    assert both_ways(TicketNumber, number) == number.strip().upper()


@pytest.mark.parametrize("number", ["TCK-0123456789A", "TCK-0123456789ABC", "TCK-0123456789AG", ""])
def test_another_text_is_no_ticket_number(number: str) -> None:
    assert refuses(TicketNumber, number)


@pytest.mark.parametrize(
    "url",
    [
        "http://a",
        "HTTPS://files.example:8443/x?y=z#f",
        "https://[::1]/a",
        "https://münchen.example/ü",
        "https://a/" + "x" * 2_038,
    ],
)
def test_http_and_https_urls_are_accepted(url: str) -> None:
    assert both_ways(HttpUrl, f" {url} ") == url


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/b",
        "//a/b",
        "a.example",
        "javascript:alert(1)",
        "http:/a",
        "http://",
        "http:///a",
        "http://?a",
        "https://a b",
        "https://a/\nb",
        "https://a/" + "x" * 2_039,
        "",
    ],
)
def test_other_texts_are_no_urls(url: str) -> None:
    assert refuses(HttpUrl, url)


@pytest.mark.parametrize("length", [0, 1, 100])
def test_a_list_may_have_up_to_100_texts(length: int) -> None:
    assert both_ways(Items, [" a "] * length) == ("a",) * length


@pytest.mark.parametrize("items", [["a"] * 101, [""], ["x" * 101], ["a", 5], ["a", None], "a", {}])
def test_another_list_is_refused(items: object) -> None:
    assert refuses(Items, items)


@pytest.mark.parametrize(
    ("form", "least", "most"),
    [
        (Rating, 1, 5),
        (Sequence, 0, LARGEST_EXTERNAL_ID),
        (Size, 0, LARGEST_EXTERNAL_ID),
        (Level, -LARGEST_EXTERNAL_ID, LARGEST_EXTERNAL_ID),
    ],
    ids=["rating", "sequence", "size", "level"],
)
def test_a_number_keeps_within_its_bounds(
    form: Any,  # noqa: ANN401  any type
    least: int,
    most: int,
) -> None:
    assert [both_ways(form, number) for number in (least, most)] == [least, most]
    for wrong in (least - 1, most + 1, "1", 1.0, True, None):
        assert refuses(form, wrong)


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_a_flag_is_true_or_false(value: object) -> None:
    assert both_ways(Flag, True) is True  # noqa: FBT003  the value under test
    assert refuses(Flag, value)


@pytest.mark.parametrize("word", ["low", "Low", " MEDIUM", "Critical", "urgent"])
def test_a_priority_is_written_in_any_case(word: str) -> None:
    assert both_ways(PriorityWord, word) is Priority(word)


@pytest.mark.parametrize("word", ["", "p1", "lowest", "very high", "médium"])
def test_an_unknown_priority_is_never_changed_silently(word: str) -> None:
    assert refuses(PriorityWord, word)


def test_null_counts_as_the_default() -> None:
    assert both_ways(Annotated[PriorityWord, NullIs(Priority.HIGH)], None) is Priority.HIGH
    assert both_ways(Annotated[PriorityWord, NullIs(Priority.HIGH)], "low") is Priority.LOW
    assert refuses(Annotated[PriorityWord, NullIs(Priority.HIGH)], "null")
