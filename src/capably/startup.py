"""What must be known before anything starts: values that are missing, names on the command line that mean nothing."""

from collections.abc import Iterable, Mapping, Sequence

from capably.diagnostics import did_you_mean
from capably.errors import EXIT_USAGE, CommandError
from capably.examine import Examined
from capably.plan.variables import Variable, VariableKind
from capably.settings import CONTROL, Settings


def missing_values(examined: Sequence[Examined]) -> CommandError | None:
    """One error that lists every value nobody gave: where it stands and how to give it."""
    missing = [
        variable
        for item in examined
        if item.compiled is not None
        for variable in sorted(item.compiled.missing, key=lambda one: (one.spans[0].line, one.spans[0].column))
    ]
    if not missing:
        return None
    count = "a value is" if len(missing) == 1 else f"{len(missing)} values are"
    lines = [line for variable in missing for line in _how_to_give(variable)]
    return CommandError(f"{count} missing", *lines, exit_code=EXIT_USAGE)


def _how_to_give(variable: Variable) -> list[str]:
    first, *others = dict.fromkeys(str(span) for span in variable.spans)
    places = first + (f" and {len(others)} more places" if others else "")
    if variable.kind is VariableKind.BASE_URI:
        return [f"base URI of `{variable.name}` ({places})", f"  give it with --upstream {variable.name}=https://host"]
    where = (
        f"in {variable.location}"
        if variable.location
        else f"as environment variable {' or '.join(variable.environment)}"
    )
    return [
        f"{variable.kind.value} `{variable.name}` ({places})",
        f"  give it {where}, or with --set {variable.name}=VALUE",
    ]


def unknown_names(examined: Sequence[Examined], settings: Settings) -> CommandError | None:
    """The error for an option that names a variable, a namespace or a server that no document has."""
    compiled = [item.compiled for item in examined if item.compiled is not None]
    variables = {name for item in compiled for variable in item.variables for name in variable.names}
    consumed = {
        entry.namespace for item in examined if item.capability is not None for entry in item.capability.consumes
    }
    servers = {server.namespace for item in compiled for server in (*item.plan.servers, item.plan.control) if server}
    servers |= {CONTROL} if settings.control is not None else set()
    checks: tuple[tuple[str, Mapping[str, object], Iterable[str], str], ...] = (
        ("--set", settings.given.sets, variables, "no variable"),
        ("--upstream", settings.given.upstreams, consumed, "no consumed namespace"),
        ("--port", settings.ports, servers, "no server"),
    )
    for option, given, known, what in checks:
        for name in given:
            if name not in known:
                return _unknown(option, name, known, what)
    return None


def _unknown(option: str, name: str, known: Iterable[str], what: str) -> CommandError:
    advice = did_you_mean(name, sorted(known)) or ("the document has none",)
    return CommandError(f"{option} {name}: {what} has this name", *advice, exit_code=EXIT_USAGE)
