"""The policies in force for a batch: read by version with its look-up, so never out of date."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import asyncpg
import orjson

from db import policies as stored
from db.errors import Unworkable
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


Version = tuple[str, int, str]
"""A tenant's version, and when it was applied: another one, where a backup was restored."""

_compiled: "OrderedDict[Version, CompiledPolicy]" = OrderedDict()


async def in_force(
    connection: asyncpg.Connection, versions: Sequence[Version]
) -> dict[str, CompiledPolicy]:
    """The policies of these versions by tenant. Asks only for those never seen before."""
    unseen = {each[:2]: each for each in versions if each not in _compiled}
    if unseen:
        for key, document in (await stored.read(connection, list(unseen))).items():
            _compiled[unseen[key]] = _understood(*key, document)
    found = {each[0]: _compiled[each] for each in versions if each in _compiled}
    while len(_compiled) > KEPT:
        _compiled.popitem(last=False)
    return found


def _understood(tenant_id: str, version: int, document: str) -> CompiledPolicy:
    try:
        return compile_policy(orjson.loads(document))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise PolicyUnreadable(tenant_id, version) from error


async def tiers_of(
    connection: asyncpg.Connection,
    requests: Iterable[Request],
    policies: Mapping[str, CompiledPolicy],
    customers: Mapping[tuple[str, int], str],
) -> dict[tuple[str, str], str]:
    """The tiers of customers (tenant, id) for whom a rule may ask. customers: by external id."""
    curious = {tenant for tenant, policy in policies.items() if policy.asks_for_tiers}
    wanted = {
        (request.tenant_id, customer_id)
        for request in requests
        if request.tenant_id in curious and request.message.assigned_team is None
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
