"""Dead letters passed on to `<topic>.dlq`. Whatever happens there, their rows keep them whole."""

from collections.abc import Iterator, Sequence

from aiokafka import errors

from consumer.delivery import Delivery
from consumer.ledger import Ledger
from consumer.outgoing import letter_key, letters_going_out
from consumer.publisher import REFUSALS
from db.letters import LetterKey, Sized
from db.tables import NO_DEAD_LETTER_TOPIC

MOST_BYTES = 8 * 1024 * 1024
MOST_LETTERS = 500
"""What is read and sent at once at most, unless a single letter is larger."""

LETTER_REFUSALS = (*REFUSALS, errors.CorruptRecordException, errors.UnknownError)
"""Also answers that don't say whose fault it is, such as INVALID_RECORD, which aiokafka 0.14 does
not know: nothing is lost with a letter that stays in its row, and nothing must wait for it."""


class Letters:
    """Passes dead letters on, a few megabytes at a time."""

    def __init__(self, ledger: Ledger, delivery: Delivery) -> None:
        self._ledger = ledger
        self._delivery = delivery

    async def pass_on(self, letters: Sequence[Sized]) -> dict[LetterKey, str]:
        """Why which of them were not passed on. Their bytes are read only here."""
        failed: dict[LetterKey, str] = {}
        for keys in portions(letters):
            going = letters_going_out(await self._ledger.letters(keys))
            delivered = await self._delivery.deliver(await self._delivery.pack(going))
            failed |= {letter_key(letter): reason for letter, reason in delivered.refused}
            failed |= dict.fromkeys(map(letter_key, delivered.missing), NO_DEAD_LETTER_TOPIC)
        return failed


def portions(letters: Sequence[Sized]) -> Iterator[list[LetterKey]]:
    """The letters in their order, in portions that memory allows."""
    portion: list[LetterKey] = []
    length = 0
    for key, size in letters:
        if portion and (length + size > MOST_BYTES or len(portion) == MOST_LETTERS):
            yield portion
            portion, length = [], 0
        portion.append(key)
        length += size
    if portion:
        yield portion
