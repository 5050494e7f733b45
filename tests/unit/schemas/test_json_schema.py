"""The published schemas, held against the decoder by a validator that is not ours.

Every valid and every invalid document of the other tests goes through it too (documents.py).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from schemas.catalogue import TOPICS, Direction
from schemas.decode import Decoded, decode
from schemas.fact import Fact
from schemas.json_schema import CONTRACTS, all_schemas
from schemas.message import Message
from schemas.party_changed import CustomerChanged
from schemas.schema_rules import RULES
from schemas.text_patterns import BLANKS, BLANKS_OF_WORDS, in_any_case
from schemas.ticket_change_requested import CHANGES, TicketChangeRequested
from schemas.ticket_requested import TicketRequested
from schemas.vocabulary import ActorType, ChangeKind, Priority, TicketStatus, TicketType
from tests.unit.schemas import facts
from tests.unit.schemas.by_schema import fits
from tests.unit.schemas.documents import (
    CUSTOMER,
    TICKET,
    change,
    customer,
    encoded,
    is_beyond_schemas,
    request,
)
from tests.unit.schemas.test_fact_models import FACTS, IDS, Make, is_valid

KELVIN = "\u212a"
VALUES: list[Any] = [
    *(None, True, 5, -1, 0.5, 10**30, "", "abc", " abc ", "a\nb", "x" * 101, "x" * 5_000),
    *("high", " MEDIUM\x1c", "tenant", "Partner", "closed", "rate", "networ\u212a_issue"),
    *(CUSTOMER, TICKET.upper(), f"\u3000{TICKET}\n", "tck-0123456789AB", "http://a", "ftp://a"),
    *("2026-11-24T09:30:00Z", "2026-02-29T09:30:00Z", "2026-11-24T09:30:00", "\u0130"),
    *([], ["a"], ["a", 5], [" "], ["x"] * 101, {}, {"a": 1}, {"type": "Tenant"}, {"type": "x"}),
    *([{"name": "n", "url": "http://a"}], [{"name": "n", "url": "a"}], {"level": 1}),
    *({"ticket_type": None}, {"context": None}, {"team": " "}, {"level": None, "team": "a"}),
]
OTHERS: list[Any] = [..., None, 5, -0.5, "x", [], {}, [5]]
NEEDED: dict[str, dict[str, Any]] = {
    "add_message": {"body": "Any news?"},
    "set_status": {"status": "waiting"},
    "assign": {"assigned_team": "noc"},
    "set_priority": {"priority": "high"},
    "set_fields": {"fields": {"service_address": "12 Harbour Road"}},
    "escalate": {"to": {"level": 2}},
    "rate": {"rating": 5},
}
DOCUMENTS: list[tuple[type[Message], type[Message], dict[str, Any]]] = [
    (TicketRequested, TicketRequested, request()),
    (CustomerChanged, CustomerChanged, customer()),
    *(
        (TicketChangeRequested, model, change(kind, **NEEDED[kind]))
        for kind, model in CHANGES.items()
    ),
]


@pytest.mark.parametrize(
    ("model", "kind", "document"), DOCUMENTS, ids=[kind.__name__ for _, kind, _ in DOCUMENTS]
)
def test_the_decoder_and_the_schema_come_to_one_verdict(
    model: type[Message], kind: type[Message], document: dict[str, Any]
) -> None:
    known = {*kind.model_fields, "customer_id", "unknown"} - {"id"}
    shared = (
        set(TicketChangeRequested.model_fields) if kind is not CHANGES[ChangeKind.RATE] else set()
    )
    if model is TicketChangeRequested:  # what all changes share is tried with one of them
        known = known - shared | {"change"}
    for name in sorted(known):
        for value in (*VALUES, ...):
            changed = {each: sent for each, sent in document.items() if each != name}
            if value is not ...:
                changed[name] = value
            result = decode(model, encoded(changed), ())
            is_accepted = isinstance(result, Decoded)
            assert fits(model, encoded(changed)) is is_accepted, (name, value, result)


def test_a_word_and_the_white_space_around_it_are_read_as_the_decoder_reads_them() -> None:
    letters = set("".join([*TicketType, *Priority, *TicketStatus, *ActorType]))
    blanks = expanded(BLANKS_OF_WORDS)
    odd = set()
    for char in map(chr, range(0x11_0000)):
        assert (char in blanks) is char.isspace(), hex(ord(char))
        if char.lower() in letters and not char.isascii():
            odd.add(char)
    assert odd == {KELVIN}
    assert fits(TicketRequested, encoded(request(ticket_type=f"networ{KELVIN}_issue")))


def expanded(characters: str) -> set[str]:
    """The members of a class of a pattern."""
    members: set[str] = set()
    rest = list(characters)
    while rest:
        first = rest.pop(0)
        last = first
        if rest[:1] == ["-"]:
            _, last = rest.pop(0), rest.pop(0)
        members |= set(map(chr, range(ord(first), ord(last) + 1)))
    return members


def test_what_is_trimmed_of_text_is_what_the_decoder_trims() -> None:
    for char in sorted(expanded(BLANKS_OF_WORDS)):
        result = decode(TicketRequested, encoded(request(title=f"{char}ab{char}")), ())
        assert isinstance(result, Decoded) is (char not in expanded(BLANKS)), hex(ord(char))


def test_every_rule_of_a_model_stands_in_its_schema() -> None:
    models = [*families(Message), *families(Fact)]
    assert {model for model in models if own_validators(model)} == set(RULES)


def families(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from families(each)


def own_validators(model: type[BaseModel]) -> set[str]:
    inherited = {
        name
        for base in model.__bases__
        if issubclass(base, BaseModel)
        for name in base.__pydantic_decorators__.model_validators
    }
    return set(model.__pydantic_decorators__.model_validators) - inherited


@pytest.mark.parametrize("contract", CONTRACTS, ids=[each.name for each in CONTRACTS])
def test_a_schema_is_one_and_says_which(contract: Any) -> None:  # noqa: ANN401  a Contract
    schema = all_schemas()[contract.name]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:isp-ticketing:{contract.name}:1"
    assert schema["x-direction"] == contract.topic.direction


def test_every_topic_and_type_has_its_schema() -> None:
    outbound = {name for topic in TOPICS for name in topic.ce_types}
    inbound = {topic.name for topic in TOPICS if topic.direction is Direction.IN}
    assert all_schemas().keys() == outbound | inbound


@pytest.mark.parametrize(("model", "make"), FACTS, ids=IDS)
def test_a_fact_fits_its_schema_and_may_gain_fields(model: type[Fact], make: Make) -> None:
    assert fits(model, encoded(make()))
    assert fits(model, encoded(make(a_field_to_come=1)))
    for name in make():
        for value in OTHERS:
            fact = make(**{name: value})
            assert fits(model, encoded(fact)) is is_valid(model, fact), (name, value)


def test_a_message_is_told_by_its_own_type_alone() -> None:
    message = {"message_id": TICKET, "body": None, "sender_type": "tenant", "is_internal": True}
    added = Draft202012Validator(all_schemas()["ticket.message_added"])
    assert added.is_valid(facts.updated(message=message))
    assert not added.is_valid(facts.updated(message=message | {"body": "Psst"}))
    assert not added.is_valid(facts.updated(message=None))
    rated = Draft202012Validator(all_schemas()["ticket.rated"])
    assert rated.is_valid(facts.updated(message=None))


def test_a_change_is_told_apart_by_its_kind() -> None:
    schema = all_schemas()["ticket.change_requested"]
    assert schema["discriminator"]["propertyName"] == "change"
    assert schema["discriminator"]["mapping"].keys() == CHANGES.keys()
    assert len(schema["oneOf"]) == len(CHANGES)


def test_what_no_schema_knows_is_told_apart() -> None:
    for document, is_beyond in (
        (request(context={"a": "x" * 40_000}), True),
        (request(title="ab\0c"), True),
        (request(context=[]), False),
        (request(title=5), False),
    ):
        result = decode(TicketRequested, encoded(document), ())
        assert not isinstance(result, Decoded)
        assert is_beyond_schemas(result) is is_beyond
        assert fits(TicketRequested, encoded(document)) is is_beyond


def test_a_pattern_of_words_names_each_of_them() -> None:
    assert in_any_case(["a_b"]) == f"^[{BLANKS_OF_WORDS}]*(?:[Aa]_[Bb])[{BLANKS_OF_WORDS}]*$"
