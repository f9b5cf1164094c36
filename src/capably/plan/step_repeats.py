"""Whether and how often a step is done: `condition` and `forEach`."""

from dataclasses import dataclass

from capably.diagnostics import Diagnostic, error
from capably.document import Entry, Mapping, Scalar
from capably.expr.condition import Condition, ConditionError, Truth, compile_condition
from capably.expr.source import Constant, Source
from capably.expr.template import Hole
from capably.model.decode import decode_record
from capably.model.flows import LoopRecord, StepRecord
from capably.plan.binding import Binder
from capably.plan.step_order import Nature
from capably.plan.steps import Loop


@dataclass(frozen=True, slots=True)
class Repeats:
    """Compiles conditions and loops; problems are added to ``found``."""

    found: list[Diagnostic]

    def condition(self, record: StepRecord, texts: Binder) -> Condition | None:
        """The condition of a step."""
        node = record.condition
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self.found.append(error("FLW006", "`condition` must be text", node.span, "such as $.step.total > 0"))
            return None
        if isinstance(node.value, bool):
            return Truth(Constant(node.value))

        def operand(text: str) -> Source:
            if text.startswith(("$", "@")):
                return texts.path(f"${text[1:]}", node.span)
            if text.startswith("{{"):
                return texts.text(text, node.span)
            return texts.hole(Hole(text, 0, len(text)), node.span)

        try:
            return compile_condition(node.text, operand)
        except ConditionError as problem:
            message = f"this condition cannot be used: {problem}"
            advice = "such as `$.get-ship.status == 'ACTIVE' and $.list-crew.length() > 0`"
            self.found.append(error("FLW006", message, node.span, advice))
            return None

    def record(self, record: StepRecord) -> LoopRecord | None:
        """What a step says of its loop; a text is the list itself."""
        node = record.for_each
        if node is None:
            return None
        if not isinstance(node, Mapping):
            node = Mapping({"in": Entry("in", record.key_span("forEach"), node)}, node.span)
        return decode_record(LoopRecord, node, "forEach", self.found)

    def elements(self, record: LoopRecord | None) -> tuple[str, ...]:
        """The names of the element at hand and of its number."""
        return (record.as_ or "item", record.index or "index") if record is not None else ()

    def loop(self, record: LoopRecord | None, over: Source, names: tuple[str, ...], nature: Nature) -> Loop | None:
        """The loop; where a step changes or asks something, one element at a time unless the document says more."""
        if record is None:
            return None
        for key, value in (("concurrency", record.concurrency), ("max", record.most)):
            if value is not None and value < 1:
                span = record.value_span(key)
                self.found.append(error("FLW006", f"`{key}` must be 1 or more, not {value}", span))
                return None
        at_once = record.concurrency or (1 if nature.is_barrier else Loop.at_once_usually)
        return Loop(over, names[0], names[1], at_once, record.most or Loop.most_usually)
