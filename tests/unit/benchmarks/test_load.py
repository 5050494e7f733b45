"""The load is the same in every run, and of the promised size."""

import json
from statistics import mean

from benchmarks.load import CUSTOMER_COUNT, TENANTS, customers, requests


def test_requests_have_about_600_bytes() -> None:
    assert 570 <= mean(len(request.value) for request in requests("backlog", 1_000)) <= 630


def test_requests_are_the_same_in_every_run() -> None:
    assert list(requests("backlog", 50)) == list(requests("backlog", 50))


def test_every_request_has_an_identity_of_its_own() -> None:
    sent = [json.loads(request.value) for request in requests("backlog", 1_000)]
    assert len({(one["tenant_id"], one["request_id"]) for one in sent}) == len(sent)


def test_every_customer_asks_and_is_known_to_its_tenant() -> None:
    known = {(customer.tenant_id, customer.id) for customer in customers()}
    sent = [json.loads(request.value) for request in requests("backlog", CUSTOMER_COUNT)]
    assert {(one["tenant_id"], one["customer_id"]) for one in sent} == known
    assert {tenant for tenant, _ in known} == set(TENANTS)
