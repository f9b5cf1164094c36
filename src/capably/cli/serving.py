"""What people are told of servers that run: the table at the start, errors, and what became of reloads."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from capably.cli.console import bold, hint, table, wants_colour
from capably.diagnostics import Severity
from capably.render.count import amount

if TYPE_CHECKING:
    from capably.app import Listener, Service
    from capably.examine import Examined
    from capably.plan.operation import ServerPlan
    from capably.servers.desk import Difference, Verdict

_MOST_NAMED: Final = 6


def show_errors(examined: Sequence["Examined"]) -> None:
    """Print the errors of documents, if they have any."""
    from capably.render.text import render_text

    errors = [diagnostic for item in examined for diagnostic in item.errors]
    texts = {file: text for item in examined for file, text in item.texts.items()}
    if errors:
        sys.stderr.write(render_text(errors, texts, colour=wants_colour(sys.stderr)))


def show_listeners(documents: Sequence["Examined"], listeners: Sequence["Listener"]) -> None:
    """Print the table of servers, and how many warnings their documents have."""
    show_table(documents, listeners)
    for document in documents:
        warnings = sum(item.severity is Severity.WARNING for item in document.diagnostics)
        if warnings:
            hint(f"{amount(warnings, 'warning')}: see `capably check {document.file}`")
    hint(bold("ready", colour=wants_colour(sys.stderr)) + "; stop with Ctrl-C")


def show_table(documents: Sequence["Examined"], listeners: Sequence["Listener"]) -> None:
    """Print the table of servers."""
    colour = wants_colour(sys.stderr)
    rows = [
        (
            item.plan.kind.value,
            item.plan.namespace,
            item.url + ("" if item.plan.over_stdio else _PATHS.get(item.plan.kind.value, "")),
            _offers(item),
            ", ".join(_upstreams(documents, item)),
        )
        for item in listeners
    ]
    hint(table(("KIND", "NAMESPACE", "URL", "OFFERS", "UPSTREAM"), rows, colour=colour))
    for item in listeners:
        if item.warning:
            hint(f"warning: {item.warning}")


_PATHS = {"mcp": "/mcp", "skill": "/skills"}  # where clients begin


def _offers(listener: "Listener") -> str:
    plan = listener.plan
    if plan.kind.value == "control":
        return ", ".join(_shown_by(plan))
    if plan.kind.value == "skill":
        counts = [(len(plan.skills), "skill")]
    else:
        counts = [(len(plan.operations), "tool" if plan.kind.value == "mcp" else "operation")]
    more = ((plan.forwards, "forward"), (plan.resources, "resource"), (plan.prompts, "prompt"))
    counts += [(len(items), noun) for items, noun in more if items]
    return ", ".join(amount(count, noun) for count, noun in counts)


def _shown_by(control: "ServerPlan") -> list[str]:
    """What a control server shows, by the first parts of its paths."""
    from capably.plan.control import CONSOLE
    from capably.servers.control.endpoints import ENDPOINTS

    allows = control.control.allows if control.control is not None else frozenset()
    shown = ["console"] if CONSOLE in allows else []
    return list(dict.fromkeys(shown + [item.path.split("/")[1] for item in ENDPOINTS if item.key in allows]))


def _upstreams(documents: Sequence["Examined"], listener: "Listener") -> list[str]:
    from capably.plan.consumed import Consumed
    from capably.telemetry.redaction import Redactor, shown_url

    works = [operation.work for operation in listener.plan.operations]
    used = dict.fromkeys(work.target.namespace for work in works if isinstance(work, Consumed))
    used |= dict.fromkeys(forward.target for forward in listener.plan.forwards)
    for document in documents:
        compiled = document.compiled
        if compiled is not None and listener.plan in compiled.plan.servers:
            hide = Redactor(compiled.secrets).hide
            return [hide(shown_url(compiled.plan.upstreams[namespace])) for namespace in used]
    return []


def show_verdict(verdict: "Verdict", service: "Service") -> None:
    """Print what became of a reload: one line, after what is wrong with the documents; none when all is as it was."""
    from capably.render.text import render_text
    from capably.servers.desk import Standing

    colour = wants_colour(sys.stderr)
    if verdict.standing is Standing.UNCHANGED:
        return
    errors = [item for item in verdict.diagnostics if item.is_error]
    if errors:
        sys.stderr.write(render_text(errors, verdict.texts, colour=colour))
    if verdict.is_refused:
        hint(f"{bold('not reloaded', colour=colour)}: {verdict.reason}; generation {verdict.generation} is served on")
        for line in verdict.advice:
            hint(f"  = {line}")
    else:
        if any(item.is_structural for item in verdict.differences):
            show_table(service.examined, service.listeners)
        said = _said(verdict.differences) or "nothing that callers see has changed"
        hint(f"{bold('reloaded', colour=colour)}: generation {verdict.generation}; {said}")


def _said(differences: Iterable["Difference"]) -> str:
    """What came, went and changed, by the paths of servers, operations and tools."""
    groups: dict[str, dict[str, None]] = {"added": {}, "removed": {}, "changed": {}}
    for item in differences:
        path = item.path.split(".")
        whole = len(path) in {2, 4} and path[0] == "servers"
        word = "added" if item.before is None else "removed" if item.after is None else "changed"
        groups[word if whole else "changed"][".".join(path[:4])] = None
    return "; ".join(f"{word} {_named(list(paths))}" for word, paths in groups.items() if paths)


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - _MOST_NAMED
    return ", ".join(paths[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
