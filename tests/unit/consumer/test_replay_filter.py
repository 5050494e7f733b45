"""Which records fit a replay's filter."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.replay_filter import ReplayFilter, Sieve, UnusableKey, key_of
from handlers.entries import TopicRole
from tests.records import (
    asked,
    broken,
    customer_change,
    customer_end,
    entry_of,
    some_id,
    stored,
    wanted,
)
from tests.scenarios.messages import encoded, request

EARLY = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001  hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
filters = st.builds(
    ReplayFilter,
    topics=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    partition=st.none() | st.integers(0, 9),
    from_offset=st.none() | st.integers(0, 2**62),
    to_offset=st.none() | st.integers(0, 2**62),
    since=st.none() | moments,
    until=st.none() | moments,
    key=st.none() | st.text(),
    request_id=st.none() | st.text(),
    tenant=st.none() | st.text(),
)


@given(filters)
def test_a_filter_is_the_same_after_it_was_kept(wanted_: ReplayFilter) -> None:
    kept = wanted_.as_json() | {"retry_rejected": True}
    assert ReplayFilter.from_json(kept) == wanted_


def test_only_what_was_named_is_kept() -> None:
    assert ReplayFilter().as_json() == {}
    assert ReplayFilter(partition=0, key="").as_json() == {"partition": 0, "key": ""}


@given(moments, st.integers(-2_000, 2_000))
def test_times_are_exact_to_the_microsecond(moment: datetime, away: int) -> None:
    """A record is before a moment or not, whatever its microseconds are."""
    timestamp = (moment - EARLY) // timedelta(milliseconds=1) + away
    at = EARLY + timedelta(milliseconds=timestamp)
    record = stored(b"{}", timestamp=timestamp)
    assert Sieve(ReplayFilter(since=moment)).may_fit(record) == (at >= moment)
    assert Sieve(ReplayFilter(until=moment)).may_fit(record) == (at < moment)


@pytest.mark.parametrize("timestamp", [-1, 0, 2**62])
def test_any_timestamp_may_be_asked_for(timestamp: int) -> None:
    record = stored(b"{}", timestamp=timestamp)
    assert Sieve(ReplayFilter()).may_fit(record)
    assert Sieve(ReplayFilter(since=EARLY)).may_fit(record) == (timestamp >= 0)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("customer-7", b"customer-7"),
        ("", b""),
        ("Ä", "Ä".encode()),
        ("hex:00fF", b"\x00\xff"),
        ("hex:00 ff", b"\x00\xff"),
        ("hex:", b""),
    ],
)
def test_a_key_is_a_text_or_bytes(text: str, key: bytes) -> None:
    assert key_of(text) == key
    sieve = Sieve(ReplayFilter(key=text))
    assert sieve.may_fit(stored(b"{}", key=key))
    assert not sieve.may_fit(stored(b"{}", key=key + b"x"))
    assert not sieve.may_fit(stored(b"{}", key=None))


@pytest.mark.parametrize("text", ["hex:0", "hex:xy", "hex:0x00"])
def test_bytes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UnusableKey, match="pairs of hexadecimal digits"):
        key_of(text)


def fits(entry: Any, **wanted_: Any) -> bool:  # noqa: ANN401  an entry; a filter's fields
    sieve = Sieve(ReplayFilter(**wanted_))
    return sieve.may_fit(entry.record) and sieve.fits(entry)


def test_a_request_id_is_compared_as_it_is_kept() -> None:
    """Without the white space at its ends, whatever the way in which it was written."""
    assert fits(asked(1), request_id="request-1")
    assert fits(asked(1), request_id="  request-1\t")
    assert fits(asked(" x "), request_id="request- x")
    assert not fits(asked(1), request_id="request-")
    escaped = encoded(request(1)).replace(b"request-1", rb"requ\u0065st-\u0031")
    assert fits(entry_of(stored(escaped)), request_id="request-1")
    assert fits(asked("ä"), request_id="request-ä")


@given(st.text(min_size=1).map(str.strip).filter(bool))
def test_a_request_id_is_found_however_json_writes_it(text: str) -> None:
    import json  # noqa: PLC0415  escapes what encoded() leaves as it is

    for is_ascii in (True, False):
        document = json.dumps(request(1, request_id=text), ensure_ascii=is_ascii)
        record = stored(document.encode("utf-8", "surrogatepass"))
        entry = entry_of(record)
        known = getattr(getattr(entry, "message", entry), "request_id", None)
        assert Sieve(ReplayFilter(request_id=text)).may_fit(record) or known != text


def test_a_tenant_is_the_one_that_the_topic_is_bound_to() -> None:
    assert fits(asked(1), tenant="north")
    assert not fits(asked(1, bound="south"), tenant="north")
    assert fits(asked(1, bound="south"), tenant="south")
    assert fits(wanted("rate", some_id("ticket"), rating=5, bound="south"), tenant="south")


def test_a_broken_record_fits_by_what_could_be_read_of_it() -> None:
    half = stored(encoded({"tenant_id": "north", "request_id": "r", "title": 5}))
    assert fits(entry_of(half), tenant="north", request_id="r")
    assert not fits(entry_of(half), tenant="south")
    assert not fits(broken(), tenant="north")
    assert fits(entry_of(stored(b"?"), TopicRole("request", "north")), tenant="north")
    assert fits(broken())
    assert not fits(broken(), request_id="r")
    assert not fits(entry_of(stored(None)), request_id="r")


def test_a_party_has_a_tenant_and_no_request_id() -> None:
    assert fits(customer_change(), tenant="north")
    assert not fits(customer_change(), request_id="Anna")
    assert not fits(customer_end("00000000-0000-4000-8000-000000000000"), tenant="north")
    assert fits(customer_end("00000000-0000-4000-8000-000000000000", bound="north"), tenant="north")


def test_everything_that_is_named_must_fit() -> None:
    entry = asked(1)
    assert entry.record is not None
    moment = EARLY + timedelta(milliseconds=entry.record.timestamp)
    whole = {"since": moment, "request_id": "request-1", "tenant": "north"}
    assert fits(entry, **whole)
    others = {
        "since": moment + timedelta(milliseconds=1),
        "request_id": "request-2",
        "tenant": "south",
        "key": "x",
        "until": moment,
    }
    for name, value in others.items():
        assert not fits(entry, **whole | {name: value})
