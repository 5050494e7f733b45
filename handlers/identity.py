"""Who a request is: the same identity, however often and from wherever it arrives."""

from hashlib import sha1
from typing import Final
from uuid import UUID

import orjson

_REQUESTS: Final = UUID("6f1c7e0a-5a3b-5c1d-9a57-0d2b7e6f3c11").bytes
_TICKETS: Final = UUID("b7f0d3de-7d0e-5f0a-8f43-5b1f5a2e9d22").bytes


def uuid5(namespace: bytes, name: bytes) -> str:
    """The UUIDv5 (RFC 9562) of a name, as text: a tenth of the cost of `uuid.uuid5`."""
    digest = sha1(namespace + name, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def request_key(kind: str, form: str, tenant_id: str, *parts: str | int) -> str:
    """The key of an identity: kind, form (`request_id`, `cloudevent`, `record`), tenant, parts."""
    return uuid5(_REQUESTS, orjson.dumps((kind, form, tenant_id, *parts)))


def ticket_id(key: str) -> str:
    """The id of the ticket that this request opens, or would have opened."""
    return uuid5(_TICKETS, key.encode())


def ticket_number(ticket: str, attempt: int = 0) -> str:
    """The number people use: the id's first twelve digits, or the next derivation if taken.

    attempt: how many derivations of this ticket are already taken within its tenant.
    """
    if attempt == 0:
        return f"TCK-{ticket[:8]}{ticket[9:13]}".upper()
    digest = sha1(f"{ticket}:{attempt}".encode(), usedforsecurity=False).hexdigest()
    return f"TCK-{digest[:12]}".upper()


def first_message_id(ticket: str) -> str:
    """The id of the message that a ticket begins with: the same digits, as a UUIDv8."""
    return f"{ticket[:14]}8{ticket[15:]}"


def added_message_id(key: str) -> str:
    """The id of the message that a change adds: its request key's digits, as a UUIDv8."""
    return f"{key[:14]}8{key[15:]}"


def fact_id(subject_id: str, sequence: int) -> str:
    """The `ce_id` of a ticket's fact: UUIDv5(ticket id, sequence)."""
    return uuid5(bytes.fromhex(subject_id.replace("-", "")), b"%d" % sequence)


def rejection_id(key: str, topic: str, partition: int, offset: int) -> str:
    """The `ce_id` of a rejection: UUIDv5(request key, `topic:partition:offset`)."""
    name = f"{topic}:{partition}:{offset}".encode()
    return uuid5(bytes.fromhex(key.replace("-", "")), name)
