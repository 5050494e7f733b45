"""Messages are counted right however the network cuts them."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.wire import MessageTypes, Traffic, _through

messages = st.tuples(st.sampled_from([b"Q", b"S", b"C", b"Z", b"d"]), st.binary(max_size=40))


def encoded(kind: bytes, payload: bytes) -> bytes:
    return kind + (len(payload) + 4).to_bytes(4) + payload


def fed_in_pieces(types: MessageTypes, stream: bytes, size: int) -> list[bytes]:
    pieces = (stream[start : start + size] for start in range(0, len(stream), size))
    return [kind for piece in pieces for kind in types.feed(piece)]


@given(st.lists(messages, max_size=20), st.integers(min_value=1, max_value=60))
def test_types_are_found_however_the_stream_is_cut(
    sent: list[tuple[bytes, bytes]], size: int
) -> None:
    stream = b"".join(encoded(*message) for message in sent)
    found = fed_in_pieces(MessageTypes(from_client=False), stream, size)
    assert found == [kind for kind, _ in sent]


@given(st.integers(min_value=1, max_value=60))
def test_the_clients_first_message_has_no_type(size: int) -> None:
    startup = encoded(b"", b"\0\3\0\0user\0someone\0\0")
    stream = startup + encoded(b"Q", b"SELECT 1\0")
    assert fed_in_pieces(MessageTypes(from_client=True), stream, size) == [b"Q"]


def test_a_copy_is_one_statement_and_two_round_trips() -> None:
    traffic = Traffic(sent=Counter({b"Q": 1, b"d": 9, b"c": 1}), received=Counter([b"G", b"C"]))
    assert (traffic.statements, traffic.round_trips) == (1, 2)


def test_the_proxys_url_keeps_account_database_and_parameters() -> None:
    url = _through("postgresql://me:secret@db.example:5432/tickets?application_name=x", 1234)
    assert url == (
        "postgresql://me:secret@127.0.0.1:1234/tickets?application_name=x&sslmode=disable"
    )
