"""Tenants' policies, ready for use: read by version, and so never out of date."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import asyncpg
import orjson

from db import policies as stored
from db.policies import Applied, Key
from handlers.outcomes import Known, Request
from handlers.routing import CompiledPolicy, PolicyUnreadable, compile_policy

KEPT: Final = 1_000
"""Versions that are kept compiled. One never changes, so none is ever to be forgotten."""


class InForce(NamedTuple):
    """The newest version of a tenant's policy that this program understands."""

    version: int
    policy: CompiledPolicy


class Found(NamedTuple):
    """What is in force by tenant. A tenant of whose versions none is understood has the defaults.

    unreadable: the newest version of each tenant for which another one is in force, or none.
    """

    in_force: Mapping[str, InForce]
    unreadable: Sequence[PolicyUnreadable]


class _Kept(NamedTuple):
    """A version that was read. applied_at: another one, where a backup was restored."""

    applied_at: str
    policy: CompiledPolicy | PolicyUnreadable


_kept: "OrderedDict[Key, _Kept]" = OrderedDict()
_instead: "OrderedDict[Applied, InForce | None]" = OrderedDict()
"""What holds in place of a newest version that is not understood; None: the defaults. The versions
below it are as unchanging as itself."""


async def add_in_force(
    connection: asyncpg.Connection, known: Known, newest: Iterable[Applied]
) -> None:
    """Add the policies in force to what is known, given the newest versions."""
    found = await in_force(connection, newest)
    known.versions = {tenant: each.version for tenant, each in found.in_force.items()}
    known.policies = {tenant: each.policy for tenant, each in found.in_force.items()}
    known.unreadable += found.unreadable


async def in_force(connection: asyncpg.Connection, newest: Iterable[Applied]) -> Found:
    """What is in force, given the newest versions.

    Asks only for those never seen before, and once for what holds instead of one that is not
    understood: a round trip for each version down to the next that is.
    """
    found: dict[str, InForce] = {}
    unseen: dict[Key, Applied] = {}
    unreadable: list[tuple[Applied, PolicyUnreadable]] = []
    for applied in newest:
        tenant_id, version, applied_at = applied
        kept = _kept.get((tenant_id, version))
        if kept is None or kept.applied_at != applied_at:
            unseen[tenant_id, version] = applied
        elif isinstance(kept.policy, PolicyUnreadable):
            unreadable.append((applied, kept.policy))
        else:
            found[tenant_id] = InForce(version, kept.policy)
    if unseen:
        for key, policy in (await _read(connection, dict.fromkeys(unseen))).items():
            if isinstance(policy, PolicyUnreadable):
                unreadable.append((unseen[key], policy))
            else:
                found[key[0]] = InForce(key[1], policy)
    if unreadable:
        found |= await _in_place_of(connection, [applied for applied, _ in unreadable])
    return Found(found, [problem for _, problem in unreadable])


async def _in_place_of(
    connection: asyncpg.Connection, unreadable: Sequence[Applied]
) -> dict[str, InForce]:
    known = {applied: _instead[applied] for applied in unreadable if applied in _instead}
    below = {
        tenant: version for tenant, version, at in unreadable if (tenant, version, at) not in known
    }
    found = {applied[0]: each for applied, each in known.items() if each is not None}
    while below:
        read = await stored.older(connection, below)
        below.clear()
        for (tenant_id, version), (applied_at, document) in read.items():
            policy = _compiled((tenant_id, version), applied_at, document)
            if isinstance(policy, PolicyUnreadable):
                below[tenant_id] = version
            else:
                found[tenant_id] = InForce(version, policy)
    for applied in unreadable:
        _instead[applied] = found.get(applied[0])
    while len(_instead) > KEPT:
        _instead.popitem(last=False)
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
        else:
            found[key] = _compiled(key, applied_at, document)
    return found


def _compiled(key: Key, applied_at: str, document: str | None) -> CompiledPolicy | PolicyUnreadable:
    """The policy of this document, which is kept: also that it is not understood."""
    policy = _understood(*key, document or "null")
    _kept[key] = _Kept(applied_at, policy)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return policy


def _understood(tenant_id: str, version: int, document: str) -> CompiledPolicy | PolicyUnreadable:
    try:
        return compile_policy(orjson.loads(document), version)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
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
