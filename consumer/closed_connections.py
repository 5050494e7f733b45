"""A connection that is closed already is a broken one, also where the event loop is uvloop's.

aiokafka 0.14 writes to a connection and takes an OSError for a broken one. uvloop raises a plain
RuntimeError instead where its transport has been closed and nobody was told yet ("the handler is
closed"). It comes out of whatever call was sending, which no caller expects, or ends one of
aiokafka's own tasks. Seen where a proxy reset every connection in mid-message.
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

_send = AIOKafkaConnection.send


def tell_of_closed_connections() -> None:
    """Have aiokafka's connections say so as they say it of any other; again changes nothing."""
    AIOKafkaConnection.send = send_or_tell


def send_or_tell(
    connection: AIOKafkaConnection,
    request: Any,  # noqa: ANN401  aiokafka's
    *args: object,
    **named: object,
) -> Any:  # noqa: ANN401  aiokafka's
    """What `AIOKafkaConnection.send` does. Raises KafkaConnectionError where it is closed."""
    try:
        return _send(connection, request, *args, **named)
    except KafkaError:  # which is a RuntimeError too
        raise
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"the connection is closed: {error}") from error
