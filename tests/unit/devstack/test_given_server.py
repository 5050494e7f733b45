"""Servers given by their address are used and otherwise left alone."""

import pytest

from devstack.kafka import Kafka
from devstack.server import GivenServer, NotOurs

GIVEN = Kafka("broker:9092", GivenServer("TICKETING_TEST_KAFKA_BOOTSTRAP_SERVERS"))


def test_it_is_neither_started_nor_stopped() -> None:
    with pytest.raises(NotOurs, match="TICKETING_TEST_KAFKA_BOOTSTRAP_SERVERS isn't ours"):
        GIVEN.start()
    with pytest.raises(NotOurs):
        GIVEN.stop()


def test_its_processes_are_not_measured() -> None:
    with pytest.raises(NotOurs):
        _ = GIVEN.pid


def test_it_outlives_us() -> None:
    GIVEN.close()
