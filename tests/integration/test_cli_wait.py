"""`ticketing request publish --wait` against a service that runs."""

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.integration.service_process import running_service
from tests.integration.test_cli_requests import CUSTOMER, lines, request


async def ticketing(
    *arguments: str, settings: dict[str, str], cwd: Path, stdin: bytes = b""
) -> tuple[int, bytes, bytes]:
    environment = {name: each for name, each in os.environ.items() if "TICKETING_" not in name}
    environment |= {f"TICKETING_{name}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consumer", *arguments),
        env=environment,
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out, err


async def test_every_outcome_is_waited_for_and_shown(
    kafka: str, database_url: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "TOPIC_PREFIX": topic_prefix,
        "GROUP_ID": f"{topic_prefix}group",
        "UNKNOWN_CUSTOMER_GRACE_SECONDS": "0.2",
    }
    await ticketing("topics", "--replication-factor", "1", settings=settings, cwd=tmp_path)
    customers = lines({"customer_id": CUSTOMER, "tenant_id": "north"})
    await ticketing(
        "customers", "import", "-", "--yes", settings=settings, cwd=tmp_path, stdin=customers
    )
    requests = lines(
        request(),
        request(description="The same again."),
        request(request_id="2", target_type="platform"),
        request(request_id="3", title="ab"),
        request(request_id="4", customer_id=99),
        b"not json",
    )
    async with running_service(settings=settings) as service:
        await service.ready()
        code, out, err = await ticketing(
            *("request", "publish", "-", "--wait", "--json"),
            settings=settings,
            cwd=tmp_path,
            stdin=requests,
        )
        shown, page, _ = await ticketing("status", settings=settings, cwd=tmp_path)
    assert code == 0, err.decode()
    stories = {story["line"]: story for story in map(json.loads, out.splitlines())}
    assert [stories[line]["outcome"] for line in sorted(stories)] == [
        "created",
        "duplicate",
        "rejected",
        "dead_lettered",
        "rejected",
        "dead_lettered",
    ]
    assert stories[5]["code"] == "customer_not_found"
    assert stories[1]["ticket"] == stories[2]["ticket"]
    assert shown == 0
    assert b"relay lease" in page
