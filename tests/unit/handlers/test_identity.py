"""Identities are for ever: the vectors here may never change."""

import json
import re
from uuid import NAMESPACE_DNS, UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from handlers import identity

REQUESTS = UUID("6f1c7e0a-5a3b-5c1d-9a57-0d2b7e6f3c11")
TICKETS = UUID("b7f0d3de-7d0e-5f0a-8f43-5b1f5a2e9d22")
PRINTABLE = st.text(st.characters(codec="utf-8"), min_size=1)


@given(st.text(st.characters(codec="utf-8")))
def test_a_uuid5_is_the_one_of_the_standard_library(name: str) -> None:
    assert identity.uuid5(NAMESPACE_DNS.bytes, name.encode()) == str(uuid5(NAMESPACE_DNS, name))


@given(PRINTABLE, PRINTABLE, PRINTABLE, PRINTABLE, st.integers(0, 2**63 - 1))
def test_a_request_key_is_the_uuid5_of_a_compact_json_array(
    kind: str, form: str, tenant: str, text: str, number: int
) -> None:
    name = json.dumps([kind, form, tenant, text, number], ensure_ascii=False, separators=(",", ":"))
    key = identity.request_key(kind, form, tenant, text, number)
    assert key == str(uuid5(REQUESTS, name))


def test_the_vectors_stay() -> None:
    key = identity.request_key("request", "request_id", "north", "r-1")
    assert key == "b9ec1bd6-0ae4-5392-8985-1ad84a0cde3d"
    assert identity.request_key("request", "cloudevent", "north", "/portal", "e-1") == (
        "5cbc8932-b310-5859-8717-4e9517e18d07"
    )
    place = ("ticket.requested", 0, 7, 1772366400000)
    assert identity.request_key("request", "record", "north", *place) == (
        "a6c9349b-bf0e-5fb5-9a8a-567d463fdc96"
    )
    ticket = identity.ticket_id(key)
    assert ticket == "1a7a5b20-793b-52d4-b54d-0ef0bdad8078"
    assert identity.first_message_id(ticket) == "1a7a5b20-793b-82d4-b54d-0ef0bdad8078"
    assert identity.fact_id(ticket, 1) == "97ca4b0d-4fde-5318-b95f-289837e3eaf7"
    numbers = [identity.ticket_number(ticket, attempt) for attempt in (0, 1)]
    assert numbers == ["TCK-1A7A5B20793B", "TCK-9DDE26AEE5CB"]
    rejection = identity.rejection_id(key, "ticket.requested", 3, 42)
    assert rejection == "f7d0478a-07c7-555e-8fe3-face4eeeb8b5"


def test_kind_form_and_tenant_tell_identities_apart() -> None:
    keys = {
        identity.request_key(kind, form, tenant, "a", "b")
        for kind in ("request", "change")
        for form in ("request_id", "cloudevent", "record")
        for tenant in ("north", "south")
    }
    assert len(keys) == 12


def test_where_one_part_ends_and_the_next_begins_matters() -> None:
    first = identity.request_key("request", "cloudevent", "north", "ab", "c")
    assert first != identity.request_key("request", "cloudevent", "north", "a", "bc")
    assert first != identity.request_key("request", "cloudevent", "north", 'ab","c')


@given(st.uuids())
def test_a_ticket_id_and_its_facts_are_uuid5(key: UUID) -> None:
    ticket = identity.ticket_id(str(key))
    assert ticket == str(uuid5(TICKETS, str(key)))
    assert identity.fact_id(ticket, 12) == str(uuid5(UUID(ticket), "12"))


@given(st.uuids(), st.text("ab.", min_size=1), st.integers(0, 9), st.integers(0, 2**63 - 1))
def test_a_rejection_is_named_by_its_key_and_record(
    key: UUID, topic: str, partition: int, offset: int
) -> None:
    expected = str(uuid5(key, f"{topic}:{partition}:{offset}"))
    assert identity.rejection_id(str(key), topic, partition, offset) == expected


@given(st.uuids(), st.integers(0, 50))
def test_every_derivation_of_a_number_has_its_form(ticket: UUID, attempt: int) -> None:
    number = identity.ticket_number(str(ticket), attempt)
    assert re.fullmatch(r"TCK-[0-9A-F]{12}", number)
    if attempt:
        assert number != identity.ticket_number(str(ticket), attempt - 1)
    else:
        assert number[4:].lower() == ticket.hex[:12]


@given(st.uuids(version=5))
def test_the_first_message_is_no_ticket_and_no_fact(ticket: UUID) -> None:
    message = UUID(identity.first_message_id(str(ticket)))
    assert message.version == 8
    assert message.hex[:12] == ticket.hex[:12]
