"""A closed transport is a lost connection, whatever the event loop calls it."""

from unittest.mock import Mock

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from consumer.closed_connections import tell_of_closed_connections
from consumer.dependencies import is_absence


async def connection_whose_transport(raises: Exception) -> AIOKafkaConnection:
    tell_of_closed_connections()
    connection = AIOKafkaConnection("127.0.0.1", 9092)
    connection._versions = {MetadataRequest.API_KEY: (0, 5)}  # noqa: SLF001  as if it was asked
    connection._writer = Mock()  # noqa: SLF001  aiokafka has no seam for one
    connection._writer.write.side_effect = raises  # noqa: SLF001
    return connection


@pytest.mark.parametrize(
    "error", [RuntimeError("unable to perform operation; the handler is closed"), OSError("gone")]
)
async def test_sending_on_a_closed_transport_is_kafkas_absence(error: Exception) -> None:
    connection = await connection_whose_transport(error)
    with pytest.raises(KafkaConnectionError) as raised:
        connection.send(MetadataRequest([]))
    assert is_absence("kafka", raised.value)
    assert not connection.connected()


async def test_aiokafkas_own_errors_stay_as_they_are() -> None:
    connection = await connection_whose_transport(OSError("never asked"))
    connection._writer = None  # noqa: SLF001
    with pytest.raises(KafkaConnectionError, match="No connection to broker"):
        connection.send(MetadataRequest([]))
