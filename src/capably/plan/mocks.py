"""Operations that answer by themselves: no call, no steps, and outputs that state their values."""

from capably.document import Mapping
from capably.model.consumes import ConsumedOperation, ConsumedResource, Consumes
from capably.model.contents import Content
from capably.model.exposes import Exposed, Resource, Tool
from capably.model.flows import AggregateFlow
from capably.plan.outputs import has_fixed_value
from capably.plan.resources import stated_piece
from capably.plan.target import Candidate


def states_a_value(doing: Exposed | AggregateFlow) -> bool:
    """Whether what is done is to answer by itself."""
    stated = has_fixed_value(doing.outputs) or (isinstance(doing, Exposed) and bool(stated_contents(doing)))
    return doing.call is None and not doing.steps and stated


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
