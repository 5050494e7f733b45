"""The same onboarding as a Prefect flow. It runs in Prefect's environment, against its server.

`python -m examples.workflows.run_prefect` shows it; that program starts these:
`... onboarding_prefect worker` serves the flow, `... start` starts a run of it and waits for its
end, `... again` puts a run back in line whose worker was killed.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from prefect import flow, get_client, task
from prefect.deployments import run_deployment
from prefect.runtime import flow_run
from prefect.states import Scheduled
from sqlalchemy.ext.asyncio import AsyncSession

from examples.workflows import steps
from examples.workflows.lead import EXAMPLE, Lead, Onboarded
from examples.workflows.sessions import sessions

DATABASE_VARIABLE = "ONBOARDING_DATABASE_URL"
"""Where the worker finds its database: a flow's parameters are shown in Prefect's pages."""

DEPLOYMENT = "onboarding"

step = task(retries=6, retry_delay_seconds=10)
"""A step that has not succeeded within a minute (say, its customer was never announced) fails."""


@asynccontextmanager
async def transaction() -> AsyncIterator[AsyncSession]:
    """A session whose work is committed at the end of the block."""
    async with sessions(os.environ[DATABASE_VARIABLE]) as session_of, session_of.begin() as session:
        yield session


@step
async def create_customer(lead: Lead) -> str:
    async with transaction() as session:
        return await steps.create_customer(session, lead)


@step
async def create_subscription(lead: Lead, customer_id: str) -> str:
    async with transaction() as session:
        return await steps.create_subscription(session, lead, customer_id)


@step
async def issue_licence(lead: Lead, customer_id: str) -> str:
    async with transaction() as session:
        return await steps.issue_licence(session, lead, customer_id)


@step
async def provision_tenant(lead: Lead, customer_id: str) -> str:
    async with transaction() as session:
        return await steps.provision_tenant(session, lead, customer_id)


@step
async def send_notification(lead: Lead, portal: str) -> None:
    async with transaction() as session:
        await steps.send_notification(session, lead, portal)


@step
async def open_ticket(lead: Lead, customer_id: str) -> dict[str, Any]:
    # The flow run's id: it stays when the task is retried and when the run is put back in line.
    request_id = f"{flow_run.id}:open_ticket"
    async with transaction() as session:
        return await steps.open_ticket(session, lead, customer_id, request_id)


@flow(persist_result=True)
async def onboard_customer(lead: Lead) -> Onboarded:
    """Start it with an idempotency key that stands for the lead, so that it is onboarded once."""
    customer_id = await create_customer(lead)
    subscription = await create_subscription(lead, customer_id)
    licence = await issue_licence(lead, customer_id)
    portal = await provision_tenant(lead, customer_id)
    await send_notification(lead, portal)
    ticket = await open_ticket(lead, customer_id)
    return Onboarded(
        customer_id, subscription, licence, portal, ticket["ticket_id"], ticket["ticket_number"]
    )


async def start(lead: Lead, *, wait_seconds: float | None = None) -> Any:  # noqa: ANN401  Prefect's flow run
    """Start the lead's onboarding, or join the one there is, and wait for its end."""
    return await run_deployment(
        f"onboard-customer/{DEPLOYMENT}",
        parameters={"lead": asdict(lead)},
        idempotency_key=f"onboarding-{lead.id}",
        timeout=wait_seconds,
        poll_interval=0.2,
    )


async def again(lead: Lead) -> None:
    """Put the lead's run back in line: the same run, and so the same ticket."""
    run = await start(lead, wait_seconds=0)
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Scheduled(), force=True)


async def outcome(lead: Lead) -> Onboarded:
    run = await start(lead)
    done: Onboarded = await run.state.result()
    return done


def main(command: str) -> None:
    match command:
        case "worker":
            onboard_customer.serve(
                DEPLOYMENT, pause_on_shutdown=False, print_starting_message=False
            )
        case "start":
            print(json.dumps(asdict(asyncio.run(outcome(EXAMPLE)))))  # noqa: T201  the answer
        case "again":
            asyncio.run(again(EXAMPLE))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1])
