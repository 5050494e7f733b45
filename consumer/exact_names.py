"""Write a record whose header names are not UTF-8 as it was read, byte for byte.

aiokafka 0.14 encodes header names strictly: its compiled builder takes nothing but text. Such a
record, which a producer in C or Go may have written and which is now a dead letter, goes out in a
batch of its own, uncompressed, made by aiokafka's builder in Python; all others are untouched.
"""

from typing import Any, Self

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchBuilderPy

from handlers.record import NAMES_KEEP_BYTES
from schemas.envelope import Headers

MAGIC = 2
NO_PRODUCER = -1


class ExactName(str):
    """A header's name, whose encoding gives back the bytes that it was decoded from."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", _errors: str = NAMES_KEEP_BYTES) -> bytes:
        return super().encode(encoding, NAMES_KEEP_BYTES)


class ExactBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka's, without types
    """A batch of one record. Its numbers as the producer's are set as in any other."""

    @classmethod
    def of(cls, key: bytes | None, value: bytes | None, headers: Headers) -> Self:
        """The batch with this record in it, closed."""
        batch = cls(0, DefaultRecordBatch.CODEC_NONE)  # however small, the first record fits
        batch._builder = _DefaultRecordBatchBuilderPy(
            MAGIC,
            DefaultRecordBatch.CODEC_NONE,
            is_transactional=0,
            producer_id=NO_PRODUCER,
            producer_epoch=NO_PRODUCER,
            base_sequence=0,
            batch_size=0,
        )
        exact = [(ExactName(name), header) for name, header in headers]
        batch.append(timestamp=None, key=key, value=value, headers=exact)
        batch.close()
        return batch

    def _set_producer_state(self, *state: Any) -> None:  # noqa: ANN401  aiokafka's numbers
        """As aiokafka's, which insists on the compiled builder."""
        self._builder.set_producer_state(*state)
