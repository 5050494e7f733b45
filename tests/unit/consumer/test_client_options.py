import ssl
from typing import Any

import pytest

from consumer import clients
from consumer.settings import Settings


def made(monkeypatch: pytest.MonkeyPatch, name: str) -> dict[str, Any]:
    """Catch what aiokafka's class `name` is given."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(clients, name, lambda **options: given.update(options))
    return given


async def test_aiokafka_takes_every_option() -> None:
    await clients.consumer(Settings(), "a-group").stop()
    await clients.producer(Settings()).stop()
    await clients.admin(Settings()).close()


def test_a_consumer_is_given_what_its_defaults_get_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    given = made(monkeypatch, "AIOKafkaConsumer")

    clients.consumer(Settings(), "a-group")

    assert given["enable_auto_commit"] is False
    assert given["auto_offset_reset"] == "none"
    assert given["isolation_level"] == "read_committed"
    assert given["rebalance_timeout_ms"] == 60_000
    assert given["group_id"] == "a-group"
    assert given["security_protocol"] == "PLAINTEXT"
    assert given["ssl_context"] is None


async def test_a_producer_is_idempotent_and_takes_the_longest_record() -> None:
    settings = Settings(max_record_bytes=9_000_000)
    producer = clients.producer(settings, compression="zstd")

    assert producer._sender._acks == -1  # noqa: SLF001 - aiokafka shows it nowhere else
    assert producer._txn_manager is not None  # noqa: SLF001
    assert producer._max_request_size > 9_000_000  # noqa: SLF001
    await producer.stop()


def test_a_login_and_tls_reach_every_client(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="scram-sha-512",
        kafka_sasl_username="user",
        kafka_sasl_password="hunter2",  # noqa: S106 - nobody's
    )
    by_class = {
        name: made(monkeypatch, name)
        for name in ("AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient")
    }

    clients.consumer(settings)
    clients.producer(settings)
    clients.admin(settings)

    for given in by_class.values():
        assert given["security_protocol"] == "SASL_SSL"
        assert given["sasl_mechanism"] == "SCRAM-SHA-512"
        assert given["sasl_plain_username"] == "user"
        assert given["sasl_plain_password"] == "hunter2"  # noqa: S105 - nobody's
        assert given["ssl_context"].verify_mode is ssl.CERT_REQUIRED
        assert given["ssl_context"].check_hostname
