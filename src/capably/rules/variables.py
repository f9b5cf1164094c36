"""Rules about values that come from outside."""

from collections.abc import Iterator

from capably.diagnostics import Diagnostic, did_you_mean, warning
from capably.model.capability import Capability
from capably.plan.compile import Compiled
from capably.plan.variables import READABLE, VariableKind, scheme_of


def variable_not_bound(capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """A variable that no bind explains: it must be given when the document is served."""
    located = {bind.namespace: bind.keys or {} for bind in capability.binds if bind.location is not None}
    for variable in compiled.variables:
        if variable.kind is VariableKind.BASE_URI:
            if variable.value is not None:
                continue
            message = f"`{variable.name}` has no base URI"
            advice = f"give it with `--upstream {variable.name}=https://host`, or write `baseUri:`"
            yield warning("VAR001", message, variable.spans[0], advice)
        elif not variable.is_bound:
            message = f"`{variable.name}` is bound to nothing: it must be given when the document is served"
            names = " or ".join(variable.environment)
            advice = f"give it with `--set {variable.name}=...` or as environment variable {names}; or add a bind"
            yield warning("VAR001", message, variable.spans[0], advice)
        elif variable.location is None:
            for namespace, _, key in (written.partition(".") for written in variable.written):
                if key and namespace in located and key not in located[namespace]:
                    message = f"`{namespace}` has no key `{key}`: it must be given when the document is served"
                    yield warning("VAR001", message, variable.spans[0], *did_you_mean(key, located[namespace]))


def location_not_readable(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """Binds whose values are in a place no provider reads."""
    for bind in capability.binds:
        if bind.location is not None and scheme_of(bind.location) not in READABLE:
            message = f"`{bind.namespace}` is bound to {bind.location}, which is not read"
            advice = (
                f"give its keys with --set or in the environment; read are {' and '.join(sorted(READABLE))} locations"
            )
            yield warning("VAR003", message, bind.value_span("location"), advice)
