"""Documents read again: looked at, or taken up."""

from typing import Any

from capably.diagnostics import diagnostic_json
from capably.servers.control.asked import Answer, Asked, Room, answer, refused
from capably.servers.desk import Difference, Verdict


async def validate(room: Room, asked: Asked) -> Answer:
    """What a reload would do now; nothing is done."""
    await _nothing(asked)
    verdict = await room.desk.validate()
    structural = [item.path for item in verdict.differences if item.is_structural]
    warnings = [item.message for item in verdict.diagnostics if not item.is_error]
    return answer(
        {
            "valid": not any(item.is_error for item in verdict.diagnostics) and not verdict.is_refused,
            "reloadable": not verdict.is_refused,
            "structuralChanges": structural,
            "warnings": warnings,
            **_shown(verdict),
        }
    )


async def reload(room: Room, asked: Asked) -> Answer:
    """Serve the documents as they are now; 422 when they cannot be, and all stays as it was."""
    await _nothing(asked)
    verdict = await room.desk.reload()
    return answer(_shown(verdict), 422 if verdict.is_refused else 200)


async def _nothing(asked: Asked) -> None:
    """Refuse what was sent to endpoints that take nothing.

    Raises:
        Fault: status 400.
    """
    asked.query()
    if await asked.object():
        raise refused("unexpected-body", "this takes no values: send no body, or {}")


def _shown(verdict: Verdict) -> dict[str, Any]:
    shown: dict[str, Any] = {"status": verdict.standing.value, "generation": verdict.generation}
    if verdict.is_refused:
        shown |= {"reason": verdict.reason, "advice": list(verdict.advice)}
    shown["changes"] = [_change(item) for item in verdict.differences]
    shown["diagnostics"] = [diagnostic_json(item) for item in verdict.diagnostics]
    return shown


def _change(item: Difference) -> dict[str, Any]:
    return {"path": item.path, "from": item.before, "to": item.after, "structural": item.is_structural}
