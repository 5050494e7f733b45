"""What is made of a policy that is judged."""

from schemas.policy import Policy
from schemas.policy_check import judge


def accepted(given: object) -> Policy:
    judged = judge(given)
    assert isinstance(judged, Policy), judged
    return judged


def told(given: object) -> list[str]:
    judged = judge(given)
    assert isinstance(judged, list), judged
    return [fault.message for fault in judged]
