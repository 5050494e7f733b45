"""What the database knows about a batch, as the decisions need it."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from db import requests as questions
from handlers.identity import rejection_id, ticket_number
from handlers.outcomes import Change, Known, Party, Prior, Request, Stranger
from handlers.policies import add_in_force, tiers_of
from handlers.record import Coordinates
from handlers.requests import question
from schemas.vocabulary import Outcome

DERIVATIONS = 4
"""How many of a ticket's numbers are looked up: whoever sends can make the first ones collide."""


async def gather(
    connection: asyncpg.Connection,
    requests: Sequence[Request | Change],
    *,
    stretches: Sequence[questions.Stretch] = (),
    check_numbers: bool = False,
) -> tuple[Known, frozenset[Coordinates]]:
    """What is known about these requests, and which records of the stretches are dead letters.

    One round trip. One more where an identity was rejected before, where a version of a policy is
    new to this process (and some, if that is not understood), where its rules ask for customers'
    tiers, and for check_numbers, which is asked for after two tickets met on one number.
    """
    asked = question(requests)
    answer = await questions.look_up(
        connection,
        keys=asked.keys,
        customers=asked.customers,
        external_ids=asked.external_ids,
        partners=asked.partners,
        stretches=stretches,
    )
    known = Known(
        now=answer.now,
        outbox_id=answer.outbox_id,
        decided={(tenant, key): _prior(rest) for tenant, key, *rest in answer.decided},
        strangers={
            (tenant, customer_id): _stranger(tenant, owner)
            for tenant, customer_id, owner, _ in answer.strangers
        },
        customers={(tenant, number): found for tenant, number, found in answer.customers},
        partners={found: Party(tenant, status) for found, tenant, status in answer.partners},
    )
    if answer.policies:
        newest = [(tenant, version, at) for tenant, version, at in answer.policies]
        await add_in_force(connection, known, newest)
        fresh = [request for request in _opening(requests) if not _is_created(request, known)]
        known.tiers = await tiers_of(connection, fresh, known.policies, known.customers)
    repeats = [
        (request.tenant_id, rejection_id(request.request_key, *_place(request)))
        for request in requests
        if (prior := known.decided.get((request.tenant_id, request.request_key))) is not None
        and prior.outcome is Outcome.REJECTED
        and request.record is not None
    ]
    if repeats:
        known.rejections = await questions.rejections(connection, repeats)
    if check_numbers and (opening := _opening(requests)):
        known.taken_numbers = await questions.taken_numbers(
            connection,
            [
                (request.tenant_id, ticket_number(request.ticket_id, attempt))
                for request in opening
                for attempt in range(DERIVATIONS)
            ],
        )
    dead = frozenset((row[0], row[1], row[2], row[3]) for row in answer.dead)
    return known, dead


def _opening(requests: Sequence[Request | Change]) -> list[Request]:
    return [request for request in requests if isinstance(request, Request)]


def _is_created(request: Request, known: Known) -> bool:
    prior = known.decided.get((request.tenant_id, request.request_key))
    return prior is not None and prior.outcome is Outcome.CREATED


def _place(request: Request | Change) -> tuple[str, int, int]:
    record = request.record
    return ("", 0, 0) if record is None else (record.topic, record.partition, record.offset)


def _prior(row: Sequence[Any]) -> Prior:
    outcome, *rest = row
    return Prior(Outcome(outcome), *rest)


def _stranger(tenant_id: str, owner: str | None) -> Stranger:
    if owner is None:
        return Stranger.MISSING
    return Stranger.DELETED if owner == tenant_id else Stranger.OTHER_TENANT
