"""Which topics are read, and as what: what is subscribed to is exactly what has a role."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.settings import Settings
from consumer.subscription import Subscription
from handlers.entries import TopicRole
from schemas.catalogue import OUTBOUND_TOPICS

BOUND = r"^tickets\.(?P<tenant>[a-z]+)\.requested"


class Subscriber:
    """A client that notes what it is to read."""

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.pattern: str | None = None
        self.listener: object = None

    def subscribe(
        self, topics: Iterable[str] = (), pattern: str | None = None, listener: object = None
    ) -> None:
        self.topics, self.pattern, self.listener = list(topics), pattern, listener

    def reads(self, topic: str) -> bool:
        """As aiokafka matches names of topics."""
        if self.pattern is None:
            return topic in self.topics
        return re.compile(self.pattern).match(topic) is not None


def subscription(**options: Any) -> Subscription:  # noqa: ANN401  settings in their own words
    return Subscription(Settings(_env_file=None, **options))


def subscriber(subscribed: Subscription) -> Subscriber:
    found = Subscriber()
    subscribed.apply(found, "listener")
    assert found.listener == "listener"
    return found


def test_names_are_subscribed_to_by_name() -> None:
    found = subscriber(subscription(topic_prefix="north."))
    assert found.pattern is None
    assert found.topics == [
        "north.customer.changed",
        "north.partner.changed",
        "north.ticket.change_requested",
        "north.ticket.requested",
    ]


@pytest.mark.parametrize(
    ("topic", "role"),
    [
        ("ticket.requested", TopicRole("request")),
        ("customer.changed", TopicRole("customer")),
        ("partner.changed", TopicRole("partner")),
        ("ticket.created", None),
        ("ticket.requested.dlq", None),
        ("other", None),
    ],
)
def test_every_topic_has_its_role_or_none(topic: str, role: TopicRole | None) -> None:
    assert subscription().role_of(topic) == role
    assert subscription(topic_prefix="p-").role_of(f"p-{topic}") == role
    assert subscription(topic_prefix="p-").role_of(topic) is None


def test_a_named_group_binds_a_topic_to_its_tenant() -> None:
    found = subscription(request_topics=f"ticket.requested,{BOUND}", topic_prefix="x.")
    assert found.role_of("x.tickets.north.requested") == TopicRole("request", "north")
    assert found.role_of("x.ticket.requested") == TopicRole("request", None)
    assert found.role_of("x.tickets.NORTH.requested") is None
    assert found.role_of("x.tickets.north.requested.more") is None
    assert found.role_of("x.y.tickets.north.requested") is None


def test_a_customer_topic_may_be_bound_too() -> None:
    found = subscription(customer_topics=r"^(?P<tenant>\w+)\.customers")
    assert found.role_of("north.customers") == TopicRole("customer", "north")
    assert found.is_party("north.customers")
    assert not found.is_party("ticket.requested")
    assert not found.is_party("other")


def test_what_we_publish_is_never_read_however_wide_the_pattern() -> None:
    found = subscription(request_topics="^.*", topic_prefix="p.")
    reading = subscriber(found)
    for topic in (*OUTBOUND_TOPICS, "ticket.requested.dlq", "any.dlq", "ticket.created.dlq"):
        assert found.role_of(f"p.{topic}") is None
        assert not reading.reads(f"p.{topic}")
    for topic in ("any", "ticket.created.more", "a.dlq.b"):
        assert found.role_of(f"p.{topic}") == TopicRole("request")
        assert reading.reads(f"p.{topic}")


def test_the_name_of_a_customer_topic_counts_before_a_pattern_of_requests() -> None:
    found = subscription(request_topics="^.*")
    assert found.role_of("customer.changed") == TopicRole("customer")


ENTRIES = (
    *("ticket.requested", "a.b", "a-b", BOUND, r"^(?P<tenant>a|b)\.requests", "^a|b", "^a$|^b$"),
    *(r"^.*\.requests", "^a+", "^[ab]{1,3}", r"^ticket\..*", "^.*"),
    *(r"^(?P<tenant>a|b)\.(?P=tenant)", r"^[^a]+\^?", r"^[]^a]b", r"^(?:^a|^b\^?)"),
)
NAMES = st.one_of(
    st.sampled_from(
        [
            *("ticket.requested", "tickets.north.requested", "a.requests", "b", "a", "aaa"),
            *("a.b", "axb", "customer.changed", "ticket.created", "x.dlq", "a.requests.dlq"),
        ]
    ),
    st.text("ab.x-", min_size=1, max_size=6),
)


@given(
    st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=3, unique=True),
    st.sampled_from(["", "a", "p."]),
    st.tuples(st.sampled_from(["", "a", "p.", "x"]), NAMES).map("".join),
)
def test_what_is_subscribed_to_is_what_has_a_role(
    entries: list[str], prefix: str, topic: str
) -> None:
    found = subscription(request_topics=",".join(entries), topic_prefix=prefix)
    assert subscriber(found).reads(topic) == (found.role_of(topic) is not None)


def test_changes_are_never_taken_for_requests() -> None:
    everything = subscription(request_topics=r"^ticket\..*")
    assert everything.role_of("ticket.change_requested") == TopicRole("change")
    assert everything.role_of("ticket.requested") == TopicRole("request")


def test_a_topic_that_names_no_tenant_is_not_meant_by_a_pattern_that_binds() -> None:
    bound = subscription(request_topics=r"^x\.(?P<tenant>[^.]*)\.requested")
    assert bound.role_of("x..requested") is None
    assert bound.role_of("x.north.requested") == TopicRole("request", "north")


def test_a_topic_is_meant_with_or_without_the_prefix() -> None:
    subscription = Subscription(
        Settings(_env_file=None, topic_prefix="p.", request_topics="one,p.one,^two\\..+")
    )
    assert subscription.on_broker("one") == "p.one"
    assert subscription.on_broker("p.one") == "p.one"
    assert subscription.on_broker("p.p.one") == "p.p.one"
    assert subscription.on_broker("two.north") == "p.two.north"
    assert subscription.on_broker("three") is None
    assert subscription.patterns == ["^two\\..+"]
    assert {"p.one", "p.p.one", "p.customer.changed"} < set(subscription.named)
