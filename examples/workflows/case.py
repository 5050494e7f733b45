"""A ticket's story, step by step: each is told, sent, waited for, and shown as subscribers see it.

The programs `support_request` and `escalation` are such stories.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from examples.workflows.fact_lines import lines_of
from examples.workflows.service_desk import Fact, NoAnswer, ServiceDesk

TENANT: Final = "acme-fiber"
MOST_ATTEMPTS: Final = 1_000

Actor = Mapping[str, str]
Say = Callable[[str], object]


class WrongAnswer(Exception):
    """The service did something else than the story tells; the message says what."""


class Step(NamedTuple):
    """One change, and what comes of it: these facts, in this order, or a refusal with this code.

    name: the end of its request id. says: the change's own fields.
    """

    name: str
    told: str
    actor: Actor
    says: Mapping[str, Any]
    facts: tuple[str, ...] = ()
    refusal: str | None = None


def example_id(name: str) -> str:
    """The same UUID for the same name: elsewhere the customer's own system gives it."""
    return str(uuid5(NAMESPACE_URL, f"https://example.com/{name}"))


@dataclass(slots=True)
class Case:
    """One run of a story. name: makes its request ids, so no two runs share one."""

    desk: ServiceDesk
    say: Say
    name: str
    ticket_id: str = ""
    facts: list[Fact] = field(default_factory=list)

    def announce(self, kind: str, name: str, tenant_id: str = TENANT, **more: object) -> str:
        """Make a customer or partner known, as the system that owns them does; returns its id."""
        party_id = example_id(name)
        document = {f"{kind}_id": party_id, "tenant_id": tenant_id, "name": name, **more}
        self.desk.tell(f"{kind}.changed", party_id, document)
        return party_id

    def open(self, told: str, customer_id: str, **request: object) -> None:
        """The customer's request. One whose customer is not known yet waits for it."""
        self._tell(told)
        document = {
            "request_id": f"{self.name}:request",
            "tenant_id": TENANT,
            "customer_id": customer_id,
            **request,
        }
        # The customer is the key: what one customer asks for is read in its order.
        answer = self.desk.ask("ticket.requested", customer_id, document, facts=1)
        self._show(answer, ("ticket.created",), None)
        self.ticket_id = answer[0].data["ticket_id"]

    def take(self, step: Step) -> None:
        """Have one change made, or refused, and wait for the facts of that."""
        self._tell(step.told)
        document = {
            "request_id": f"{self.name}:{step.name}",
            "tenant_id": TENANT,
            "ticket_id": self.ticket_id,
            "actor": step.actor,
            **step.says,
        }
        self._show(self._ask(document, len(step.facts)), step.facts, step.refusal)

    def _ask(self, document: Mapping[str, Any], facts: int) -> Sequence[Fact]:
        """Ask, and again while the partner that we have announced is not known yet.

        A refusal does not use up the request id: a new record with it is decided anew.
        """
        for _ in range(MOST_ATTEMPTS):
            # The ticket is the key: the changes of one ticket are read in their order.
            answer = self.desk.ask("ticket.change_requested", self.ticket_id, document, facts=facts)
            if answer[0].data.get("code") != "partner_not_found":
                return answer
        raise NoAnswer(f"A partner stayed unknown for {MOST_ATTEMPTS} attempts.")

    def _tell(self, told: str) -> None:
        self.say("")
        self.say(told)

    def _show(self, answer: Sequence[Fact], facts: tuple[str, ...], refusal: str | None) -> None:
        code = answer[0].data.get("code")
        expected: object = refusal or facts
        came: object = code or tuple(fact.ce_type for fact in answer)
        if came != expected:
            raise WrongAnswer(f"Expected {expected}, and got {came}.")
        self.facts += answer
        for fact in answer:
            for line in lines_of(fact):
                self.say(f"   {line}")
