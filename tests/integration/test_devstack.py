"""devstack on the real thing: restarts keep port and data, and a crash leaves nothing."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import asyncpg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from devstack.databases import NotCreatedHere, create_database, drop_database
from devstack.kafka import answers_api_versions
from devstack.postgres import asks_for_a_password
from devstack.stack import NotStarted, Stack, running
from devstack.topics import delete_topics, random_prefix

HOLDER = """
import json, sys
from devstack.stack import running
with running(separate=True) as stack:
    print(json.dumps([stack.kafka.bootstrap_servers, stack.postgres.url,
                      stack.kafka.pid, stack.postgres.pid]), flush=True)
    sys.stdin.read()
"""
SECONDS = 60


def test_a_killed_parent_leaves_no_server_running() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        bootstrap_servers, url, *pids = json.loads(holder.stdout.readline())
        assert answers_api_versions(bootstrap_servers)
        assert asks_for_a_password(url)

        holder.kill()
        holder.communicate(timeout=SECONDS)  # the guards hold its standard error until their end

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    for address in (bootstrap_servers, urlsplit(url).netloc.rpartition("@")[2]):
        host, _, port = address.partition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))


def test_one_line_says_what_was_chosen(stack: Stack) -> None:
    assert "Kafka" in stack.description
    assert "PostgreSQL" in stack.description
    assert "\n" not in stack.description


async def value_in(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("immediate", [False, True])
async def test_postgres_keeps_port_and_data_over_a_restart(*, immediate: bool) -> None:
    with running(kafka=False, separate=True) as stack:
        postgres = stack.postgres
        await execute(postgres.url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42)")
        first = postgres.pid
        await asyncio.to_thread(postgres.stop, immediate=immediate)
        assert not asks_for_a_password(postgres.url)
        await asyncio.to_thread(postgres.start)
        assert await value_in(postgres.url, "SELECT n FROM kept") == 42
        assert postgres.pid != first


@pytest.mark.parametrize("kill", [False, True])
def test_kafka_keeps_port_and_data_over_a_restart(*, kill: bool) -> None:
    with running(postgres=False, separate=True) as stack:
        kafka = stack.kafka
        create_topic(kafka.bootstrap_servers, "kept")
        produce(kafka.bootstrap_servers, "kept", b"a record")
        kafka.stop(kill=kill)
        assert not answers_api_versions(kafka.bootstrap_servers)
        kafka.start()
        assert end_offset(kafka.bootstrap_servers, "kept") == 1


def create_topic(bootstrap_servers: str, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result()


def produce(bootstrap_servers: str, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all"})
    producer.produce(topic, value)
    assert producer.flush(SECONDS) == 0


def end_offset(bootstrap_servers: str, topic: str) -> int:
    """Over the broker's own answer, retried until it leads the partition again."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "looks-on"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=SECONDS)[1])
    finally:
        consumer.close()


async def test_postgres_options_reach_the_server_and_a_commit_is_on_disk_by_default() -> None:
    with running(kafka=False, separate=True, postgres_options={"work_mem": "5MB"}) as stack:
        url = stack.postgres.url
        assert await value_in(url, "SHOW work_mem") == "5MB"
        assert await value_in(url, "SHOW fsync") == "on"
        assert await value_in(url, "SHOW synchronous_commit") == "on"
        assert await value_in(url, "SHOW max_connections") == "200"


def test_kafka_options_reach_the_server() -> None:
    options = {"message.max.bytes": "1234567"}
    with running(postgres=False, separate=True, kafka_options=options) as stack:
        admin = AdminClient({"bootstrap.servers": stack.kafka.bootstrap_servers})
        broker = ConfigResource(ConfigResource.Type.BROKER, "1")
        told = admin.describe_configs([broker])[broker].result()
        assert told["message.max.bytes"].value == "1234567"


def test_a_server_that_was_not_wanted_is_said_to_be_absent() -> None:
    with running(kafka=False, postgres=False) as stack:
        with pytest.raises(NotStarted, match="without Kafka"):
            _ = stack.kafka
        with pytest.raises(NotStarted, match="without PostgreSQL"):
            _ = stack.postgres


async def test_a_clone_holds_what_its_template_held_and_is_its_own(stack: Stack) -> None:
    template = create_database(stack.postgres.url)
    await execute(template, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
    clone = create_database(stack.postgres.url, template=template)
    await execute(clone, "INSERT INTO kept VALUES (2)")
    assert await value_in(template, "SELECT count(*) FROM kept") == 1
    assert await value_in(clone, "SELECT count(*) FROM kept") == 2
    drop_database(clone)
    drop_database(template)


def test_only_databases_made_here_are_dropped(stack: Stack) -> None:
    with pytest.raises(NotCreatedHere, match="'postgres' wasn't created here"):
        drop_database(stack.postgres.url)
    made = create_database(stack.postgres.url)
    drop_database(made)
    with pytest.raises(NotCreatedHere):
        drop_database(made)


def test_only_topics_under_the_prefix_are_deleted(stack: Stack) -> None:
    bootstrap_servers = stack.kafka.bootstrap_servers
    ours, theirs = random_prefix(), random_prefix()
    create_topic(bootstrap_servers, ours + "ticket.created")
    create_topic(bootstrap_servers, theirs + "ticket.created")
    delete_topics(bootstrap_servers, prefix=ours)
    known = AdminClient({"bootstrap.servers": bootstrap_servers}).list_topics().topics
    assert theirs + "ticket.created" in known
    assert ours + "ticket.created" not in known
    delete_topics(bootstrap_servers, prefix=theirs)
