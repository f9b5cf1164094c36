"""``capably call``: run one tool or operation without starting servers."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from capably.cli.console import hint
from capably.cli.options import Pair, given_from, given_options
from capably.errors import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from capably.cli.trace import Trace
    from capably.examine import Examined
    from capably.plan.operation import Inputs, Operation
    from capably.plan.outcome import Fault, Outcome
    from capably.telemetry.redaction import Hide


@click.command(epilog="Exit codes: 0 done, 1 the upstream refused or cannot be reached, 2 used wrongly.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("name")
@click.argument("values", nargs=-1, type=Pair(), metavar="[KEY=VALUE]...")
@click.option("--json", "body", metavar="'{...}'", help="All inputs as one JSON object; KEY=VALUE adds to it.")
@click.option(
    "--dry-run", is_flag=True, help="Print the upstream request instead of sending it; secrets show as <NAME>."
)
@click.option("--trace", is_flag=True, help="Show on stderr each request, its status and time, and each step's result.")
@given_options
def call(
    *,
    file: Path,
    name: str,
    values: tuple[tuple[str, str], ...],
    body: str | None,
    dry_run: bool,
    trace: bool,
    sets: tuple[tuple[str, str], ...],
    upstreams: tuple[tuple[str, str], ...],
) -> None:
    """Run the tool or operation NAME of a capability document and print its result.

    NAME is a tool's name, `namespace.name`, or a REST operation as 'GET /path'. VALUE is text, or JSON where the
    input is not a string.

    \b
    Examples:
      capably call fleet.yaml get-ship imo=IMO-9321483
      capably call fleet.yaml create-run threadId=t1 --json '{"body": {"assistant_id": "a1"}}'
      capably call fleet.yaml 'GET /ships/{imo}' imo=IMO-9321483 --dry-run
      capably call fleet.yaml get-voyage-manifest voyageId=V1 --trace
    """
    from capably.settings import Settings
    from capably.startup import missing_values, unknown_names

    given = given_from(sets, upstreams)
    examined = _examined(file, name, given, reveal=not dry_run)
    operation = _operation(examined, name)
    problem = unknown_names([examined], Settings(given=given))
    if problem is not None:
        raise problem
    inputs = _given(operation, values, body)
    if dry_run:
        _print_request(operation, inputs, _hide_written(examined))
        return
    missing = missing_values([examined])
    if missing is not None:
        raise missing
    sys.exit(asyncio.run(_run(operation, inputs, _trace(examined) if trace else None)))


def _examined(file: Path, name: str, given: Any, *, reveal: bool) -> "Examined":
    from capably.cli.serving import show_errors
    from capably.examine import examine_with

    examined = asyncio.run(examine_with(file, given, reveal=reveal))
    if not examined.is_served or (examined.errors and not _by_name(examined).get(name)):
        show_errors([examined])
        raise CommandError(f"`{name}` cannot be called: the document has errors")
    return examined


def _operation(examined: "Examined", name: str) -> "Operation":
    from capably.diagnostics import did_you_mean

    by_name = _by_name(examined)
    found = by_name.get(name, [])
    if len(found) == 1:
        return found[0]
    if found:
        choices = [max(_names(item), key=len) for item in found]
        advice = "write one of: " + ", ".join(f"'{choice}'" for choice in choices)
        raise CommandError(f"`{name}` is the name of {len(found)} operations", advice, exit_code=EXIT_USAGE)
    raise CommandError(f"no operation `{name}`", *did_you_mean(name, by_name), exit_code=EXIT_USAGE)


def _by_name(examined: "Examined") -> "dict[str, list[Operation]]":
    plan = examined.compiled.plan if examined.compiled is not None else None
    by_name: dict[str, list[Operation]] = {}
    for server in plan.servers if plan is not None else ():
        for item in server.operations:
            for known in _names(item):
                by_name.setdefault(known, []).append(item)
    return by_name


def _names(operation: "Operation") -> set[str]:
    names = {operation.name, f"{operation.namespace}.{operation.name}"}
    if operation.route is not None:
        names.add(f"{operation.method} {operation.route.path}")
    return names


def _given(operation: "Operation", values: tuple[tuple[str, str], ...], body: str | None) -> dict[str, Any]:
    from capably.diagnostics import did_you_mean

    given: dict[str, Any] = {}
    if body is not None:
        try:
            given = json.loads(body)
        except ValueError as problem:
            raise CommandError(f"--json is not valid JSON: {problem}", exit_code=EXIT_USAGE) from None
        if not isinstance(given, dict):
            raise CommandError("--json must be an object of inputs", exit_code=EXIT_USAGE)
    types = {item.name: item.type for item in operation.inputs}
    given |= {key: _value(text, types.get(key, "string")) for key, text in values}
    for key in given:
        if key not in types:
            advice = did_you_mean(key, types) or ("it takes none",)
            raise CommandError(f"`{operation.name}` has no input `{key}`", *advice, exit_code=EXIT_USAGE)
    return given


def _value(text: str, kind: str) -> Any:
    if kind == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _print_request(operation: "Operation", given: dict[str, Any], hide: "Hide") -> None:
    from capably.plan.description import describe_request
    from capably.plan.flow import run
    from capably.plan.inputs import accept
    from capably.plan.outcome import Fault
    from capably.plan.steps import Flow

    try:
        inputs = accept(operation, given)
        if isinstance(operation.work, Flow):
            _print_first_requests(operation, inputs, hide)
            return
        first = next(run(operation, inputs), None)
    except Fault as fault:
        raise _usage(fault) from None
    if first is None:
        advice = "call it without --dry-run: nothing is sent"
        raise CommandError(f"`{operation.name}` makes no request: it answers by itself", advice, exit_code=EXIT_USAGE)
    sys.stdout.write(hide(json.dumps(describe_request(first.shown), indent=2, ensure_ascii=False)) + "\n")


def _print_first_requests(operation: "Operation", inputs: "Inputs", hide: "Hide") -> None:
    """The requests of a flow that need no answer of another step."""
    from capably.plan.description import describe_request
    from capably.plan.effects import Call
    from capably.plan.interpreter import run_flow

    starts = next(run_flow(operation, inputs)).starts
    requests = {start.key: describe_request(start.effect.shown) for start in starts if isinstance(start.effect, Call)}
    sys.stdout.write(hide(json.dumps(requests, indent=2, ensure_ascii=False)) + "\n")
    hint("these steps start first; what the others send depends on the answers")


def _hide_written(examined: "Examined") -> "Hide":
    """What takes secrets that stand in the document out of a text; all others are stand-ins."""
    from capably.telemetry.redaction import Redactor

    return Redactor(examined.compiled.written if examined.compiled is not None else ()).hide


def _usage(fault: "Fault") -> CommandError:
    return CommandError(fault.title, *(item.message for item in fault.problems), exit_code=EXIT_USAGE)


def _trace(examined: "Examined") -> "Trace":
    from capably.cli.trace import Trace

    return Trace(examined.compiled.secrets if examined.compiled is not None else ())


async def _run(operation: "Operation", given: dict[str, Any], trace: "Trace | None") -> int:
    from capably.plan.caller import SilentCaller
    from capably.plan.inputs import accept
    from capably.plan.outcome import Fault
    from capably.runtime import Runtime
    from capably.scripts.sandboxes import Sandboxes
    from capably.upstream.client import ClientLimits

    try:
        inputs = accept(operation, given)
    except Fault as fault:
        raise _usage(fault) from None
    async with Sandboxes() as sandboxes, Runtime(ClientLimits(), sandboxes.run_script, trace) as runtime:
        try:
            outcome = await runtime.invoke(operation, inputs, SilentCaller())
        except Fault as fault:
            if fault.problems:
                raise _usage(fault) from None
            raise CommandError(fault.title, fault.detail) from None
        await _print(outcome)
    if outcome.is_error:
        hint(f"the upstream refused: status {outcome.status}")
    return 1 if outcome.is_error else 0


async def _print(outcome: "Outcome") -> None:
    from capably.upstream.reply import UpstreamError

    if outcome.stream is not None:
        try:
            async for chunk in outcome.stream:
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
        except UpstreamError as problem:
            raise CommandError("The upstream's answer broke off", problem.reason) from problem
        finally:
            await outcome.stream.aclose()
        return
    sys.stdout.buffer.write(_pretty(outcome))
    sys.stdout.buffer.flush()


def _pretty(outcome: "Outcome") -> bytes:
    import msgspec

    if "json" not in (outcome.media_type or "") or not outcome.body:
        return outcome.body
    try:
        return msgspec.json.format(outcome.body, indent=2) + b"\n"
    except msgspec.DecodeError:
        return outcome.body
