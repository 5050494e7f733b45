"""What a batch makes of its broken records."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from handlers.batch import Broken, Setting, letter, tell_apart
from handlers.outcomes import Rules
from handlers.record import coordinates
from tests.records import NOON, NOON_MS, broken, known, stored

SETTING = Setting(Rules(), "group")


def test_a_dead_letter_that_is_kept_is_not_kept_again() -> None:
    kept, new, twin = broken(1), broken(2), broken(2)
    dead = frozenset({coordinates(kept.record)})
    assert tell_apart([kept, new, twin], dead) == ([new], [kept, twin])


def test_a_record_of_a_topic_made_anew_is_another() -> None:
    first, second = broken(1), broken(1, timestamp=NOON_MS + 1)
    assert tell_apart([first, second], frozenset()) == ([first, second], [])


def test_dead_letters_are_written_in_key_order() -> None:
    letters = [broken(offset, partition=partition) for partition in (1, 0) for offset in (9, 10, 1)]
    fresh, _ = tell_apart(letters, frozenset())
    places = [coordinates(each.record) for each in fresh]
    assert places == sorted(places)


ANY_TEXT = st.text(st.characters(exclude_categories=()))
HEADERS = st.lists(
    st.tuples(
        st.binary(max_size=4).map(lambda name: name.decode("utf-8", "surrogateescape")),
        st.none() | st.binary(max_size=4),
    )
)


@given(ANY_TEXT, ANY_TEXT, st.none() | ANY_TEXT, HEADERS)
def test_what_is_kept_of_a_record_can_be_stored(
    message: str, name: str, path: str | None, headers: Sequence[tuple[str, bytes | None]]
) -> None:
    record = stored(b"\x00\xff", 3, partition=2, headers=headers)
    row = letter(Broken(record, "X", message, path, name, name, name), known(), SETTING)
    for text in (row.error_message, row.tenant_id, row.request_id, row.source, row.error_path):
        assert text is None or "\0" not in text
        assert text is None or isinstance(text.encode(), bytes)  # no lone surrogate
    assert row.error_message
    names = [name.decode("utf-8", "surrogateescape") for name in row.header_names]
    assert list(zip(names, row.header_values, strict=True)) == list(headers)
    assert (row.topic, row.partition, row.offset) == ("ticket.requested", 2, 3)
    assert (row.value, row.failed_at, row.outbox_id) == (b"\x00\xff", NOON, 7)
