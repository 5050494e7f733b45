"""Where the stand-ins of the steps leave their trace: one row per lead and step, written once.

A workflow engine repeats a step whose end it did not hear of. The key makes the repeat find what
the first attempt left, so that a customer gets one licence and one mail, like one ticket.
"""

from typing import Any

from sqlalchemy import Column, DateTime, MetaData, Row, Table, Text, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.schema import CreateSchema

metadata = MetaData(schema="onboarding")

steps = Table(
    "steps",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("result", JSONB, nullable=False),
    Column("done_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


async def prepare(database: AsyncEngine) -> None:
    """Make the stand-ins' schema; nothing happens where it exists."""
    async with database.begin() as connection:
        await connection.execute(CreateSchema("onboarding", if_not_exists=True))
        await connection.run_sync(metadata.create_all)


async def once(session: AsyncSession, lead_id: str, step: str, result: dict[str, Any]) -> Any:  # noqa: ANN401  what JSON holds
    """Record a step's result and return it; a repeat gets the first attempt's."""
    await session.execute(
        insert(steps).values(lead_id=lead_id, step=step, result=result).on_conflict_do_nothing()
    )
    found = select(steps.c.result).where(steps.c.lead_id == lead_id, steps.c.step == step)
    return (await session.execute(found)).scalar_one()


async def trace(session: AsyncSession, lead_id: str) -> list[Row[str, Any]]:
    """The steps done for a lead (step, result), in their order."""
    done = select(steps.c.step, steps.c.result).where(steps.c.lead_id == lead_id)
    return list(await session.execute(done.order_by(steps.c.done_at)))
