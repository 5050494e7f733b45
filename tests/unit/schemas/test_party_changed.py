from datetime import UTC, datetime

import pytest

from schemas.decode import Decoded, InvalidRecord, decode_party
from schemas.fields import LARGEST_EXTERNAL_ID
from schemas.party_changed import CustomerChanged, PartnerChanged, PartyDeleted
from tests.unit.schemas.documents import CUSTOMER, PARTNER, accepted, customer, encoded, refused


def test_a_customer_needs_an_id_and_a_tenant() -> None:
    message = accepted(customer(), CustomerChanged)
    assert message.known() == {
        "id": CUSTOMER,
        "tenant_id": "north",
        "external_id": None,
        "name": None,
        "status": "active",
        "tier": None,
        "updated_at": None,
    }


def test_a_partner_is_the_same_under_its_own_id() -> None:
    document = customer(customer_id=..., partner_id=PARTNER.upper())
    assert accepted(document, PartnerChanged).id == PARTNER


def test_null_equals_absent() -> None:
    names = ("external_id", "name", "status", "tier", "updated_at")
    message = accepted(customer(**dict.fromkeys(names)), CustomerChanged)
    assert message == accepted(customer(), CustomerChanged)


def test_all_fields_are_kept() -> None:
    message = accepted(
        customer(
            external_id=LARGEST_EXTERNAL_ID,
            name=" Anna ",
            status=" Suspended ",
            tier="gold",
            updated_at="2026-11-24T09:30:00+01:00",
        ),
        CustomerChanged,
    )
    assert (message.external_id, message.name) == (LARGEST_EXTERNAL_ID, "Anna")
    assert (message.status, message.tier) == ("suspended", "gold")
    assert message.updated_at == datetime(2026, 11, 24, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"customer_id": ...}, "customer_id"),
        ({"customer_id": 4711}, "customer_id"),
        ({"customer_id": ..., "id": CUSTOMER}, "customer_id"),
        ({"tenant_id": ...}, "tenant_id"),
        ({"tenant_id": "x" * 256}, "tenant_id"),
        ({"external_id": "4711"}, "external_id"),
        ({"external_id": LARGEST_EXTERNAL_ID + 1}, "external_id"),
        ({"external_id": -1}, "external_id"),
        ({"external_id": True}, "external_id"),
        ({"name": "x" * 256}, "name"),
        ({"name": 5}, "name"),
        ({"status": ""}, "status"),
        ({"status": "x" * 51}, "status"),
        ({"tier": "x" * 101}, "tier"),
        ({"updated_at": "2026-11-24"}, "updated_at"),
        ({"updated_at": 1764000000}, "updated_at"),
    ],
)
def test_another_value_is_refused(fields: dict[str, object], path: str) -> None:
    assert refused(customer(**fields), CustomerChanged).path == path


@pytest.mark.parametrize(
    "key", [CUSTOMER.encode(), CUSTOMER.upper().encode(), f'"{CUSTOMER}"'.encode()]
)
def test_a_tombstone_deletes_the_party_that_its_key_names(key: bytes) -> None:
    assert decode_party(CustomerChanged, key, None, ()) == PartyDeleted(CUSTOMER)


@pytest.mark.parametrize("key", [None, b"", b"4711", b"\xff\xfe", CUSTOMER.encode() + b"0"])
def test_a_tombstone_that_names_nobody_is_refused(key: bytes | None) -> None:
    result = decode_party(CustomerChanged, key, None, ())
    assert isinstance(result, InvalidRecord)
    assert (result.path, result.error_class) == ("key", "Tombstone")
    assert result.message == "key: names no party; expected the party's id, a UUID"


def test_a_value_is_decoded_whatever_its_key_says() -> None:
    result = decode_party(CustomerChanged, b"\xff", encoded(customer()), ())
    assert isinstance(result, Decoded)
    assert result.message.id == CUSTOMER


def test_an_empty_value_is_no_tombstone() -> None:
    result = decode_party(CustomerChanged, CUSTOMER.encode(), b"", ())
    assert isinstance(result, InvalidRecord)
    assert result.message == "value: is empty; expected a JSON object"
