"""Every outcome of a record (DESIGN 1.3), seen from outside."""

import json
from typing import Any

import pytest

from tests.scenarios.messages import (
    NORTH,
    Message,
    customer,
    encoded,
    partner,
    party_id,
    request,
    requested,
    tombstone,
)
from tests.scenarios.world import World

SOUTH = "south"


async def headers_and_data(world: World, topic: str) -> list[tuple[dict[str, str], Any]]:
    return [
        (
            {name: (value or b"").decode() for name, value in record.headers},
            json.loads(record.value),
        )
        for record in await world.read(topic)
    ]


async def test_created_in_each_way_of_naming_the_customer_and_the_event(world: World) -> None:
    plain = requested(1)
    by_number = requested(2, customer_id=4711, request_id=...)
    binary = requested(3, request_id=..., headers=[("ce_id", b"e-3"), ("ce_source", b"/portal")])
    event = {"specversion": "1.0", "id": "e-4", "source": "/portal", "type": "ticket.requested"}
    structured = Message(
        encoded(event | {"data": request(4, request_id=...)}),
        headers=[("Content-Type", b""), ("content-type", b"Application/CloudEvents+JSON; a=b")],
    )
    await world.publish(customer("Anna", external_id=4711))
    async with world.service():
        await world.publish(plain, by_number, binary, structured)
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 4}
    told = {
        headers.get("ce_causationid"): data
        for headers, data in await headers_and_data(world, "ticket.created")
    }
    assert told.keys() == {"request-1", None, "e-3", "e-4"}
    assert {data["customer_id"] for data in told.values()} == {party_id("Anna")}


async def test_a_repeated_request_changes_nothing(world: World) -> None:
    await world.publish(customer())
    async with world.service():
        await world.publish(requested(1), requested(1), requested(2))
        await world.until_rows("tickets", 2)
        await world.publish(requested(1), requested(1, title="Something else entirely"))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 2, "duplicate": 3}
    assert (report.tickets, report.repeated) == (2, 0)


REFUSED: dict[str, dict[str, Any]] = {
    "route_not_allowed": {"target_type": "platform"},
    "partner_required": {"origin_type": "tenant", "target_type": "partner"},
    "partner_not_found": {
        "origin_type": "tenant",
        "target_type": "partner",
        "partner_id": party_id("nobody"),
    },
    "partner_inactive": {
        "origin_type": "tenant",
        "target_type": "partner",
        "partner_id": party_id("asleep"),
    },
    "partner_other_tenant": {
        "origin_type": "tenant",
        "target_type": "partner",
        "partner_id": party_id("theirs"),
    },
    "tenant_unknown": {"tenant_id": "west"},
    "customer_not_found": {"customer_id": party_id("unknown")},
}


async def test_rejected_for_each_reason_that_creation_can_give(world: World) -> None:
    await world.publish(
        customer(),
        customer("unknown", tenant_id=SOUTH),
        partner("asleep", status="suspended"),
        partner("theirs", tenant_id=SOUTH),
        partner("gone"),
        tombstone("gone", "partner.changed"),
    )
    options = {"TENANTS": f"{NORTH},{SOUTH}", "UNKNOWN_CUSTOMER_GRACE_SECONDS": "0"}
    gone: dict[str, Any] = {
        "origin_type": "tenant",
        "target_type": "partner",
        "partner_id": party_id("gone"),
    }
    async with world.service(**options):
        await world.publish(*[requested(code, **fields) for code, fields in REFUSED.items()])
        await world.publish(requested("gone", **gone))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 6, "rejected": 8}
    told = await headers_and_data(world, "ticket.rejected")
    codes = {data["request_id"].removeprefix("request-"): data["code"] for _, data in told}
    assert codes == {code: code for code in REFUSED} | {"gone": "partner_not_found"}
    for headers, data in told:
        assert "ce_sequence" not in headers
        assert headers["ce_type"] == "ticket.rejected"
        assert data["message"]


async def test_a_rejected_identity_is_decided_anew_by_a_new_record(world: World) -> None:
    await world.publish(customer())
    async with world.service():
        await world.publish(requested(1, target_type="platform"))
        await world.until_rows("requests WHERE outcome = 'rejected'")
        await world.publish(requested(1))
        await world.until_rows("tickets")
        await world.publish(requested(1, target_type="platform"))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "rejected": 1, "created": 1, "duplicate": 1}


BROKEN: dict[str, bytes | None] = {
    "NotJson": b'{"tenant_id": "north",',
    "empty": b"",
    "tombstone": None,
    "NaN": encoded(request()).replace(b'"request-1"', b"NaN"),
    "byte order mark": b"\xef\xbb\xbf" + encoded(request()),
    "UTF-16": json.dumps(request()).encode("utf-16"),
    "too deep": b'{"context": ' + b"[" * 200 + b"]" * 200 + b"}",
    "overflow": encoded(request()).replace(b'"request-1"', b"1e999"),
    "no object": b"[]",
    "wrong type": encoded(request(title=5)),
    "too short": encoded(request(title="x")),
    "unknown word": encoded(request(priority="whenever")),
    "NUL": encoded(request(title="a\0bc")),
    "surrogate": b'{"tenant_id":"north","title":"\\ud800 abc","description":"x"}',
    "system actor": encoded(request(actor={"type": "system", "id": "x"})),
}


async def test_whatever_is_broken_is_kept_and_passed_on_untouched(world: World) -> None:
    headers = [("x", b"\x00\xff"), ("x", None), ("ce_id", b"\xff"), ("dlq-topic", b"theirs")]
    messages = [Message(value, b"k\xff", headers) for value in BROKEN.values()]
    await world.publish(customer())
    async with world.service():
        places = await world.publish(*messages, requested(1))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "dead_lettered": len(BROKEN), "created": 1}
    letters = {
        (letter.headers[5][1], letter.headers[6][1]): letter
        for letter in await world.read("ticket.requested.dlq")
    }
    assert len(letters) == len(BROKEN)
    for (_, partition, offset), message in zip(places, messages, strict=False):
        letter = letters[str(partition).encode(), str(offset).encode()]
        assert (letter.key, letter.value) == (message.key, message.value)
        assert list(letter.headers[:4]) == headers
        ours = dict(letter.headers[4:])
        assert len(ours) == 10
        assert ours["dlq-topic"] == (world.prefix + "ticket.requested").encode()
        assert ours["dlq-error-message"]


async def test_a_broken_customer_is_a_dead_letter_of_its_own_topic(world: World) -> None:
    moved = customer("Anna", tenant_id=SOUTH)
    nameless = Message(None, b"not a uuid", topic="customer.changed")
    await world.publish(customer())
    async with world.service():
        await world.publish(moved, nameless, customer("Bert", status=5), requested())
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "dead_lettered": 3, "created": 1}
    assert len(await world.read("customer.changed.dlq")) == 3


@pytest.mark.parametrize("is_announced_in_time", [True, False])
async def test_parked_until_the_customer_is_known_or_the_grace_is_over(
    world: World, *, is_announced_in_time: bool
) -> None:
    grace = "3600" if is_announced_in_time else "0.2"
    async with world.service(UNKNOWN_CUSTOMER_GRACE_SECONDS=grace):
        await world.publish(requested(1), requested(2, customer_id=4711), requested(1))
        if is_announced_in_time:
            await world.until_rows("parked_requests", 2)
            await world.publish(customer(external_id=4711))
        report = await world.come_to_rest()
    if is_announced_in_time:
        assert report.outcomes == {"created": 2, "duplicate": 1, "applied": 1}
    else:
        assert report.outcomes["rejected"] + report.outcomes.get("duplicate", 0) == 3
        assert await world.count("tickets") == 0
        told = await headers_and_data(world, "ticket.rejected")
        assert {data["code"] for _, data in told} == {"customer_not_found"}


async def test_without_the_check_any_customer_of_the_tenant_will_do(world: World) -> None:
    await world.publish(customer("theirs", tenant_id=SOUTH))
    async with world.service(CUSTOMER_CHECK="off", UNKNOWN_CUSTOMER_GRACE_SECONDS="0"):
        await world.publish(requested(1, customer_id=party_id("new")))
        await world.publish(requested(2, customer_id=party_id("theirs")))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 1, "rejected": 1}
