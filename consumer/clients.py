"""The only place that builds Kafka clients: every choice that differs from aiokafka's defaults.

Read against aiokafka 0.14. Its defaults acknowledge by one replica, are not idempotent, commit by
themselves, reset lost positions silently and give a member 10 s to finish a rebalance.
"""

import ssl
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from consumer.closed_connections import tell_of_closed_connections
from consumer.setting_types import SecurityProtocol
from consumer.settings import Settings
from consumer.tolerant_records import tolerate_every_header

REBALANCE_TIMEOUT_MS = 60_000
"""How long a member may take to finish its batch when partitions move."""

SESSION_TIMEOUT_MS = 8_000
"""After this without a heartbeat the group gives up a dead member, so that its work goes on."""

HEARTBEAT_INTERVAL_MS = 2_000

MAX_POLL_INTERVAL_MS = 2**31 - 1
"""aiokafka leaves the group when nobody fetched for so long. Waiting hours for a database is no
reason to leave: the watchdog judges progress, and it knows the reasons."""

REQUEST_TIMEOUT_MS = 30_000
METADATA_MAX_AGE_MS = 30_000
"""How late a new topic that matches a pattern, or a new partition, may be noticed."""

FETCH_WAIT_MS = 50
"""How long a broker may hold a fetch that finds nothing. aiokafka has one fetch at a time under way
to each broker, and names in it only partitions whose last records were taken: one that names idle
topics alone keeps fresh requests waiting for all of this time (by default 500 ms)."""

PARTITION_FETCH_BYTES = 1024 * 1024
"""Some 1,700 requests of 600 bytes. A broker returns a longer record all the same (KIP-74)."""

FETCH_BYTES = 16 * 1024 * 1024
"""What one broker may send at once: bounds memory, however many partitions there are."""

PRODUCER_BATCH_BYTES = 512 * 1024
"""Half of what a broker accepts in one batch by default."""

ROOM_FOR_HEADERS = 256 * 1024
"""What a dead letter's key and headers may add to the longest value."""


def consumer(settings: Settings, group_id: str | None = None) -> AIOKafkaConsumer:
    """Build a consumer that joins `group_id`, or one that only reads what it is assigned.

    Round robin deals the partitions of all topics evenly over the members; all of aiokafka's
    assignors are eager, so a sticky one would spare nothing here, where no state is kept.
    """
    tolerate_every_header()
    return AIOKafkaConsumer(
        **_connection(settings),
        group_id=group_id,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        fetch_max_bytes=FETCH_BYTES,
        client_rack=settings.kafka_client_rack,
    )


def producer(settings: Settings, *, compression: str | None = None) -> AIOKafkaProducer:
    """Build an idempotent producer.

    The longest value that we take passes its own size check, so that the broker is the judge of
    what is too long; `compression` (lz4, zstd ...) lets a dead letter pass as it came.
    """
    return AIOKafkaProducer(
        **_connection(settings),
        acks="all",
        enable_idempotence=True,
        max_batch_size=PRODUCER_BATCH_BYTES,
        max_request_size=settings.max_record_bytes + ROOM_FOR_HEADERS,
        compression_type=compression,
    )


def admin(settings: Settings) -> AIOKafkaAdminClient:
    """Build a client for topics, offsets and probes."""
    return AIOKafkaAdminClient(**_connection(settings))


def _connection(settings: Settings) -> dict[str, Any]:
    """Say where the brokers are and how to talk to them, in the words all three clients take."""
    tell_of_closed_connections()
    password = settings.kafka_sasl_password
    return {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "client_id": "isp-ticketing",
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
        "security_protocol": settings.kafka_security_protocol.value,
        "sasl_mechanism": settings.kafka_sasl_mechanism.value,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": None if password is None else password.get_secret_value(),
        "ssl_context": _tls(settings),
    }


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """Trust the named authorities, or the system's; always check the brokers' host names."""
    if settings.kafka_security_protocol not in {SecurityProtocol.SSL, SecurityProtocol.SASL_SSL}:
        return None
    context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
    if settings.kafka_ssl_certfile is not None:
        password = settings.kafka_ssl_key_password
        context.load_cert_chain(
            settings.kafka_ssl_certfile,
            settings.kafka_ssl_keyfile,
            "" if password is None else password.get_secret_value(),
        )
    return context
