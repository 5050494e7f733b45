"""Every time that the contract accepts is one that PostgreSQL holds and gives back."""

from datetime import UTC, datetime

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas.times import RFC3339, Instant, Time

EDGES = [
    "0001-01-01T00:00:00Z",
    "0002-01-01T00:00:00+15:59",
    "0004-02-29t12:00:00z",
    "2016-12-31 23:59:60Z",
    "2016-12-31T23:59:60.000000000-15:59",
    "2026-11-24T09:30:00.999999999+01:00",
    "9998-12-31T23:59:59.999999999-15:59",
    "9998-12-31T23:59:60Z",
    "9999-12-31T23:59:59.999999Z",
]


async def test_postgresql_takes_and_returns_what_the_contract_accepts(database_url: str) -> None:
    texts = [*EDGES]

    @settings(max_examples=300, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.from_regex(RFC3339, fullmatch=True))
    def collect(text: str) -> None:
        texts.append(text)

    collect()
    connection = await asyncpg.connect(database_url)
    held = await connection.fetch(
        "SELECT text, text::timestamptz AS at FROM unnest($1::text[]) AS text", texts
    )
    await connection.close()
    instant: TypeAdapter[datetime] = TypeAdapter(Instant)
    time: TypeAdapter[str] = TypeAdapter(Time)
    assert len(held) == len(texts) > len(EDGES)
    for text, at in held:
        assert time.validate_python(text) == text
        difference = abs((at.astimezone(UTC) - instant.validate_python(text)).total_seconds())
        assert difference <= 0.000001  # PostgreSQL rounds what Python cuts off
