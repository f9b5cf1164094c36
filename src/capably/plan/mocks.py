"""Operations that answer by themselves: no call, no steps, and outputs that state their values."""

from capably.document import Mapping
from capably.model.consumes import ConsumedOperation, ConsumedResource, Consumes
from capably.model.contents import Content
from capably.model.exposes import Exposed, Resource, Tool
from capably.plan.outputs import has_fixed_value
from capably.plan.resources import stated_piece
from capably.plan.target import Candidate


def is_mock(exposed: Exposed) -> bool:
    """Whether an exposed operation answers by itself."""
    calls = exposed.call is not None or bool(exposed.steps) or exposed.ref is not None
    return not calls and (has_fixed_value(exposed.outputs) or bool(stated_contents(exposed)))


def stated_contents(exposed: Exposed) -> tuple[Content, ...]:
    """The pieces of content that an operation answers which calls nothing."""
    if isinstance(exposed, Resource):
        return stated_piece(exposed)
    return exposed.content if isinstance(exposed, Tool) else ()


def nothing_called(node: Mapping) -> Candidate:
    """What a mock calls: nothing, which has no parameters and no place. ``node`` is the mock's own."""
    return Candidate(
        consumes=Consumes(node=node, namespace=""),
        resource=ConsumedResource(node=node),
        operation=ConsumedOperation(node=node, name=""),
        path="",
        parameters=(),
    )
