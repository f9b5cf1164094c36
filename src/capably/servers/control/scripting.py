"""The switches of scripts, read and changed."""

from capably.servers.control.asked import Answer, Asked, Room, answer, refused


async def shown(room: Room, asked: Asked) -> Answer:
    """What holds for scripts now, and how they have gone."""
    asked.query()
    return answer(room.instruments.scripting.shown())


async def changed(room: Room, asked: Asked) -> Answer:
    """Change what is wanted; what is not named stays.

    Raises:
        Fault: status 400 when a value cannot be used, 409 when scripts are off for as long as the process runs.
    """
    asked.query()
    wanted, scripting = await asked.object(), room.instruments.scripting
    if wanted.get("enabled") is True and scripting.held_off_by:
        detail = f"scripts are switched off by {scripting.held_off_by}, for as long as this process runs"
        raise refused("scripts-held-off", detail, 409)
    problems = scripting.change(wanted)
    if problems:
        raise refused("invalid-setting", "; ".join(problems))
    return answer(scripting.shown())
