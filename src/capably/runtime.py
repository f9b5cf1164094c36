"""Performs what a flow asks for: drives the generator, makes its calls, tells failures as faults."""

import logging
from typing import Self

from capably.plan.answer import Loss
from capably.plan.caller import Caller
from capably.plan.flow import Call, run
from capably.plan.operation import Forward, Inputs, Operation
from capably.plan.outcome import Fault, Outcome, Passage
from capably.plan.passage import outcome_of, request_of
from capably.upstream.authenticator import Authenticator
from capably.upstream.client import Client, ClientLimits
from capably.upstream.reply import Reply, Trouble, UpstreamError

_log = logging.getLogger("capably.upstream")

_FAULTS: dict[Trouble, tuple[int, str, str]] = {
    Trouble.UNREACHABLE: (502, "The upstream cannot be reached", "check that it runs and that its base URI is right"),
    Trouble.TIMEOUT: (504, "The upstream did not answer in time", "try again later"),
    Trouble.BROKEN: (502, "The upstream's answer broke off", "try again; it may be overloaded or restarting"),
    Trouble.TOO_LARGE: (502, "The upstream's answer is too large", "ask for less, for example with a limit"),
    Trouble.REDIRECT: (
        502,
        "The upstream redirected the call",
        "redirects are followed within one origin and for GET only: state the final address as base URI",
    ),
    Trouble.AUTH: (502, "This server could not authenticate to the upstream", "its operator has to fix that"),
}


class Runtime:
    """Runs operations of one plan; an async context manager that owns the upstream connections."""

    def __init__(self, limits: ClientLimits) -> None:
        """Prepare; nothing is opened before the context is entered."""
        self._client = Client(limits)
        self._authenticator = Authenticator(self._client)
        self._told: set[Loss] = set()

    async def __aenter__(self) -> Self:
        """Open the upstream client."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the upstream client."""
        await self._authenticator.aclose()
        await self._client.__aexit__(*exc)

    async def invoke(self, operation: Operation, inputs: Inputs, _caller: Caller) -> Outcome:
        """Run an operation with accepted inputs.

        Raises:
            Fault: the inputs cannot be sent, or the upstream gave no usable answer.
        """
        flow = run(operation, inputs)
        try:
            call = next(flow)
            while True:
                call = flow.send(await self._perform(call))
        except StopIteration as end:
            outcome: Outcome = end.value
            self._tell(outcome)
            return outcome
        finally:
            flow.close()

    def _tell(self, outcome: Outcome) -> None:
        """Log what outputs lost; each once, for an upstream that does it does it with every answer."""
        for loss in outcome.losses:
            if loss not in self._told:
                self._told.add(loss)
                _log.warning("%s", loss)

    async def pass_on(self, forward: Forward, passage: Passage) -> Outcome:
        """Pass a caller's request on through a forward.

        Raises:
            Fault: its path cannot be passed on, or the upstream gave no answer.
        """
        request = request_of(forward, passage)
        body = passage.body if not isinstance(passage.body, bytes) else None
        try:
            if forward.scheme is None:
                reply = await self._client.open(request, body=body)
            else:
                reply = await self._authenticator.pass_on(forward.scheme, request, body)
        except UpstreamError as problem:
            raise _fault(forward.target, problem) from problem
        return outcome_of(forward, passage, request, reply)

    async def _perform(self, call: Call) -> Reply:
        try:
            if call.scheme is None:
                return await self._client.send(call.request)
            return await self._authenticator.send(call.scheme, call.request)
        except UpstreamError as problem:
            raise _fault(call.namespace, problem) from problem


def _fault(namespace: str, problem: UpstreamError) -> Fault:
    _log.warning("%s: %s: %s", namespace, problem.trouble.value, problem.reason)
    status, title, advice = _FAULTS[problem.trouble]
    detail = f"`{namespace}` gave no usable answer: {problem.told or advice}"
    return Fault(status, f"upstream-{problem.trouble.value}", title, detail)
