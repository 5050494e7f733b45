"""The same onboarding as a Temporal workflow: `python -m examples.workflows.onboarding_temporal`.

`... onboarding_temporal worker ADDRESS DATABASE_URL` runs a worker alone.
"""

import asyncio
import sys
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():  # else all of it is imported anew for each workflow
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

    from examples.workflows import onboarding, steps
    from examples.workflows.lead import EXAMPLE, Lead, Onboarded
    from examples.workflows.own_database import own_database
    from examples.workflows.sessions import sessions
    from examples.workflows.temporal_server import temporal_server

TASK_QUEUE = "onboarding"
PATIENCE = timedelta(seconds=5)
"""A step takes milliseconds: after this long its worker is taken for dead, and it is repeated."""

LONGEST = timedelta(hours=1)
"""A step that has not succeeded by then (say, its customer was never announced) fails for good."""


class Steps:
    """The activities: each step in its own transaction, committed before it is acknowledged."""

    def __init__(self, session_of: async_sessionmaker[AsyncSession]) -> None:
        self._session_of = session_of

    @activity.defn
    async def create_customer(self, lead: Lead) -> str:
        async with self._session_of.begin() as session:
            return await steps.create_customer(session, lead)

    @activity.defn
    async def create_subscription(self, lead: Lead, customer_id: str) -> str:
        async with self._session_of.begin() as session:
            return await steps.create_subscription(session, lead, customer_id)

    @activity.defn
    async def issue_licence(self, lead: Lead, customer_id: str) -> str:
        async with self._session_of.begin() as session:
            return await steps.issue_licence(session, lead, customer_id)

    @activity.defn
    async def provision_tenant(self, lead: Lead, customer_id: str) -> str:
        async with self._session_of.begin() as session:
            return await steps.provision_tenant(session, lead, customer_id)

    @activity.defn
    async def send_notification(self, lead: Lead, portal: str) -> None:
        async with self._session_of.begin() as session:
            await steps.send_notification(session, lead, portal)

    @activity.defn
    async def open_ticket(self, lead: Lead, customer_id: str) -> dict[str, Any]:
        # The workflow's id, not the run's: a reset or a retry of the workflow is a new run.
        request_id = f"{activity.info().workflow_id}:open_ticket"
        async with self._session_of.begin() as session:
            return await steps.open_ticket(session, lead, customer_id, request_id)


@workflow.defn
class OnboardCustomer:
    """Start it under an id that stands for the lead, so that a lead is onboarded once."""

    @workflow.run
    async def run(self, lead: Lead) -> Onboarded:
        customer_id = await _do(Steps.create_customer, lead)
        subscription = await _do(Steps.create_subscription, lead, customer_id)
        licence = await _do(Steps.issue_licence, lead, customer_id)
        portal = await _do(Steps.provision_tenant, lead, customer_id)
        await _do(Steps.send_notification, lead, portal)
        ticket = await _do(Steps.open_ticket, lead, customer_id)
        return Onboarded(
            customer_id, subscription, licence, portal, ticket["ticket_id"], ticket["ticket_number"]
        )


async def _do(step: Any, *arguments: Any) -> Any:  # noqa: ANN401  a method of Steps and what it takes
    return await workflow.execute_activity_method(
        step,
        args=arguments,
        start_to_close_timeout=PATIENCE,
        schedule_to_close_timeout=LONGEST,
    )


def worker(client: Client, activities: Steps) -> Worker:
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[OnboardCustomer],
        activities=[
            activities.create_customer,
            activities.create_subscription,
            activities.issue_licence,
            activities.provision_tenant,
            activities.send_notification,
            activities.open_ticket,
        ],
        max_cached_workflows=0,  # so that no workflow waits for a worker that was killed
    )


async def work(address: str, url: str) -> None:
    """Until it is killed, which costs nothing but time."""
    client = await Client.connect(address)
    async with sessions(url) as session_of:
        await worker(client, Steps(session_of)).run()


async def onboard(client: Client, lead: Lead) -> Onboarded:
    """Start the lead's onboarding, or join the one that runs, and wait for its end."""
    return await client.execute_workflow(
        OnboardCustomer.run,
        lead,
        id=f"onboarding-{lead.id}",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_queue=TASK_QUEUE,
    )


async def main(address: str, url: str) -> None:
    client = await Client.connect(address)
    async with sessions(url) as session_of, worker(client, Steps(session_of)):
        done = await onboard(client, EXAMPLE)
        await onboarding.show(session_of, EXAMPLE, done)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["worker", server_address, database_url]:
            asyncio.run(work(server_address, database_url))
        case []:
            with own_database() as database_url, temporal_server() as server_address:
                asyncio.run(main(server_address, database_url))
        case _:
            sys.exit(__doc__)
