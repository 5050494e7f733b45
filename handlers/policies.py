"""Tenants' policies, ready for use: read by version, and so never out of date."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import asyncpg
import orjson

from db import policies as stored
from db.errors import Unworkable
from db.policies import Key
from handlers.outcomes import Request
from handlers.routing import CompiledPolicy, compile_policy

KEPT: Final = 1_000
"""Versions that are kept compiled. One never changes, so none is ever to be forgotten."""


class PolicyUnreadable(Unworkable):
    """Version {version} of {tenant_id}'s policy can't be understood. No request is to blame."""

    def __init__(self, tenant_id: str, version: int) -> None:
        super().__init__(
            f"Version {version} of {tenant_id}'s policy can't be understood: it was not written by"
            " `ticketing policy apply`, or by a newer program; apply a version that is valid here."
        )


class _Kept(NamedTuple):
    """A version that was read. applied_at: another one, where a backup was restored."""

    applied_at: str
    policy: CompiledPolicy


_kept: "OrderedDict[Key, _Kept]" = OrderedDict()


async def in_force(
    connection: asyncpg.Connection, versions: Iterable[tuple[str, int, str]]
) -> dict[str, CompiledPolicy]:
    """The policies of these versions by tenant; with each version comes when it was applied.

    Asks only for those never seen before. Raises PolicyUnreadable.
    """
    found, unseen = {}, []
    for tenant_id, version, applied_at in versions:
        kept = _kept.get((tenant_id, version))
        if kept is None or kept.applied_at != applied_at:
            unseen.append((tenant_id, version))
        else:
            found[tenant_id] = kept.policy
    if unseen:
        for (tenant_id, _), policy in (await _read(connection, dict.fromkeys(unseen))).items():
            if isinstance(policy, PolicyUnreadable):
                raise policy
            found[tenant_id] = policy
    return found


async def of_versions(
    connection: asyncpg.Connection, versions: Iterable[Key]
) -> dict[Key, CompiledPolicy | PolicyUnreadable]:
    """The policies of these versions (tenant, version), in force or not, as far as they exist.

    One round trip; a document that was read before is not read again.
    """
    wanted = {key: _kept.get(key) for key in versions}
    return await _read(connection, wanted) if wanted else {}


async def _read(
    connection: asyncpg.Connection, known: Mapping[Key, _Kept | None]
) -> dict[Key, CompiledPolicy | PolicyUnreadable]:
    """Ask for these versions, and for the documents of those that are not known as they are."""
    asked = {key: None if kept is None else kept.applied_at for key, kept in known.items()}
    found: dict[Key, CompiledPolicy | PolicyUnreadable] = {}
    for key, (applied_at, document) in (await stored.read(connection, asked)).items():
        kept = known[key]
        if document is None and kept is not None:
            found[key] = kept.policy
            continue
        policy = _understood(*key, document or "null")
        if isinstance(policy, CompiledPolicy):
            _kept[key] = _Kept(applied_at, policy)
        found[key] = policy
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return found


def _understood(tenant_id: str, version: int, document: str) -> CompiledPolicy | PolicyUnreadable:
    try:
        return compile_policy(orjson.loads(document), version)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        unreadable = PolicyUnreadable(tenant_id, version)
        unreadable.__cause__ = error
        return unreadable


async def tiers_of(
    connection: asyncpg.Connection,
    requests: Iterable[Request],
    policies: Mapping[str, CompiledPolicy],
    customers: Mapping[tuple[str, int], str],
) -> dict[tuple[str, str], str]:
    """The tiers of customers (tenant, id) for whom a rule, or an SLA policy, may ask.

    customers: by external id.
    """
    curious = {tenant for tenant, policy in policies.items() if policy.asks_for_tiers}
    always = {tenant for tenant, policy in policies.items() if policy.sla.asks_for_tiers}
    wanted = {
        (request.tenant_id, customer_id)
        for request in requests
        if request.tenant_id in always
        or (request.tenant_id in curious and request.message.assigned_team is None)
        for customer_id in _customer(request, customers)
    }
    return await stored.tiers(connection, sorted(wanted)) if wanted else {}


def _customer(request: Request, customers: Mapping[tuple[str, int], str]) -> Sequence[str]:
    match request.message.customer_id:
        case str(customer_id):
            return [customer_id]
        case int(number) if (request.tenant_id, number) in customers:
            return [customers[request.tenant_id, number]]
        case _:
            return []
