"""Whatever a record holds, it becomes a request, a change of a party, or a dead letter."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import entries
from handlers.batch import Broken
from handlers.entries import TopicRole, read
from handlers.identity import request_key, ticket_id
from handlers.outcomes import Change, Request
from handlers.parties import PartyChange
from tests.records import NOON, NOON_MS, REQUESTS, asked, entry_of, some_id, stored, wanted
from tests.scenarios.messages import ANNA, NORTH, change, customer, encoded, request

CUSTOMERS = TopicRole("customer")
TICKET = some_id("a ticket")
CHANGES = TopicRole("change")
EVENT = (("ce_id", b"e-1"), ("ce_source", b"/portal"))


def test_a_request_id_names_the_request() -> None:
    found = asked(1, headers=EVENT)
    assert found.request_key == request_key("request", "request_id", NORTH, "request-1")
    assert found.ticket_id == ticket_id(found.request_key)
    assert (found.tenant_id, found.envelope.id) == (NORTH, "e-1")


def test_the_same_request_id_names_another_thing_on_a_change() -> None:
    change = wanted("set_status", TICKET, status="resolved", request_id="request-1")
    assert change.request_key == request_key("change", "request_id", NORTH, "request-1")
    assert change.request_key != asked(1).request_key
    assert change.ticket_id == TICKET


def test_a_change_without_an_id_is_named_by_its_place() -> None:
    first, second = (wanted("set_status", TICKET, n, status="resolved") for n in range(2))
    place = ("ticket.change_requested", 0, 0, NOON_MS)
    assert first.request_key == request_key("change", "record", NORTH, *place)
    assert second.request_key != first.request_key


def test_a_broken_change_says_what_is_wrong() -> None:
    value = encoded(change("set_status", TICKET, status="asleep"))
    found = entry_of(stored(value, topic="ticket.change_requested"), CHANGES)
    assert isinstance(found, Broken)
    assert (found.path, found.tenant_id) == ("status", NORTH)


def test_without_one_the_event_does() -> None:
    found = asked(request_id=..., headers=EVENT)
    assert found.request_key == request_key("request", "cloudevent", NORTH, "/portal", "e-1")


@pytest.mark.parametrize("headers", [EVENT[:1], EVENT[1:], (("ce_id", None), EVENT[1])])
def test_an_event_without_both_names_does_not(headers: tuple[tuple[str, bytes | None]]) -> None:
    found = asked(1, 5, request_id=None, partition=2, headers=headers)
    place = ("ticket.requested", 2, 5, NOON_MS)
    assert found.request_key == request_key("request", "record", NORTH, *place)


def test_a_record_of_a_topic_made_anew_is_another_request() -> None:
    first, second = (asked(request_id=None, timestamp=NOON_MS + more) for more in (0, 1))
    assert first.request_key != second.request_key


def test_only_the_content_makes_duplicates_differ() -> None:
    first, again, other = asked(offset=1), asked(offset=2, headers=EVENT), asked(title="Other")
    assert first.content_hash == again.content_hash != other.content_hash


def test_a_record_may_be_as_long_as_the_setting_says() -> None:
    value = encoded(request())
    assert isinstance(read(stored(value), REQUESTS, len(value)), Request)
    found = read(stored(value), TopicRole("request", "south"), len(value) - 1)
    assert isinstance(found, Broken)
    assert found.error_class == "RecordTooLarge"
    assert found.tenant_id == "south"


def test_a_dead_letter_names_the_tenant_that_the_topic_is_bound_to() -> None:
    value = encoded(request(title=7))
    found = [entry_of(stored(value), TopicRole("request", each)) for each in (None, "south")]
    assert [each.tenant_id for each in found if isinstance(each, Broken)] == [NORTH, "south"]
    assert [each.request_id for each in found if isinstance(each, Broken)] == ["request-1"] * 2


def test_an_error_of_ours_is_the_records_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(entries, "decode", stumble)
    found = entry_of(stored(b"{}"))
    assert isinstance(found, Broken)
    assert found.error_class == "RecursionError"


def test_no_memory_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(entries, "decode", stumble)
    with pytest.raises(MemoryError):
        entry_of(stored(b"{}"))


def party(value: bytes | None, role: TopicRole = CUSTOMERS, **place: Any) -> PartyChange | Broken:  # noqa: ANN401
    found = entry_of(stored(value, topic="customer.changed", **place), role)
    assert isinstance(found, PartyChange | Broken)
    return found


def test_a_customer_without_time_is_as_old_as_its_record() -> None:
    found = party(customer().value)
    assert isinstance(found, PartyChange)
    assert (found.id, found.changed_at, found.tenant_id) == (ANNA, NOON, NORTH)
    assert found.state is not None
    assert found.state.updated_at == NOON


def test_a_customers_own_time_counts() -> None:
    found = party(customer(updated_at="2026-01-01T10:00:00+02:00").value)
    assert isinstance(found, PartyChange)
    assert found.changed_at == datetime(2026, 1, 1, 8, tzinfo=UTC)


def test_a_tombstone_names_its_party_by_key() -> None:
    found = party(None, key=ANNA.upper().encode())
    assert found == PartyChange(found.record, "customer", ANNA, None, NOON, None)


def test_a_bound_topic_speaks_for_its_tenant_only() -> None:
    bound = TopicRole("customer", "south")
    found = party(customer().value, bound)
    assert isinstance(found, Broken)
    assert (found.error_class, found.path, found.tenant_id) == (
        "TenantMismatch",
        "tenant_id",
        "south",
    )
    end = party(None, bound, key=ANNA.encode())
    assert isinstance(end, PartyChange)
    assert end.tenant_id == "south"
    assert isinstance(party(customer(tenant_id="south").value, bound), PartyChange)


@pytest.mark.parametrize("timestamp", [-(2**63), -1, 2**63 - 1])
def test_a_record_may_claim_any_time(timestamp: int) -> None:
    found = party(customer().value, timestamp=timestamp)
    assert isinstance(found, PartyChange)
    assert found.changed_at <= NOON + timedelta(days=400_000)


ANY_TEXT = st.text(st.characters(exclude_categories=()))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | ANY_TEXT
    | st.sampled_from([ANNA, NORTH, "partner", "2026-01-01T10:00:00Z", "high"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            *("request_id", "tenant_id", "customer_id", "title", "description", "priority"),
            *("ticket_type", "assigned_team", "affected_services", "origin_type", "target_type"),
            *("partner_id", "actor", "attachments", "context", "requested_at", "external_id"),
            *("status", "updated_at", "unknown"),
        ]
    ),
    JSON,
    max_size=5,
)
VALUES = (
    st.none()
    | st.binary(max_size=40)
    | FIELDS.map(lambda fields: json.dumps(request() | fields).encode())
    | FIELDS.map(
        lambda fields: json.dumps(
            {"customer_id": ANNA, "tenant_id": NORTH} | fields, ensure_ascii=False
        ).encode("utf-8", "surrogatepass")
    )
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_source", "content-type", "traceparent", "", "\udcff"]),
        st.none() | st.binary(max_size=12) | st.just(b"application/cloudevents+json; v=1"),
    ),
    max_size=3,
)
ROLES = st.builds(
    TopicRole,
    st.sampled_from(["request", "change", "customer", "partner"]),
    st.sampled_from([None, NORTH, "south"]),
)


@given(VALUES, HEADERS, ROLES, st.none() | st.binary(max_size=40), st.integers(-(2**63), 2**63 - 1))
def test_nothing_that_a_record_holds_is_too_much(
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
    role: TopicRole,
    key: bytes | None,
    timestamp: int,
) -> None:
    record = stored(value, key=key, headers=headers, timestamp=timestamp)
    found = entries._read(record, role, 1_000)  # noqa: SLF001  without the net below it
    if isinstance(found, Broken):
        assert found.message
        assert role.tenant is None or found.tenant_id == role.tenant
    elif isinstance(found, Request):
        assert role.kind == "request"
        assert found.tenant_id == (role.tenant or found.message.tenant_id)
    elif isinstance(found, Change):
        assert role.kind == "change"
        assert found.tenant_id == (role.tenant or found.message.tenant_id)
    else:
        assert role.kind == found.party
        assert found.tenant_id in {role.tenant, found.state and found.state.tenant_id}
