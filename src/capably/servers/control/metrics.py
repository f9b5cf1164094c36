"""What was counted and measured, as Prometheus reads it."""

from capably.servers.control.asked import Answer, Asked, Room
from capably.servers.control.traces import recorded
from capably.telemetry.prometheus import exposition


async def shown(room: Room, asked: Asked) -> Answer:
    """The metrics in the text format of Prometheus, or in OpenMetrics when that is liked better."""
    families = await recorded(room).metrics()
    media_type, body = exposition(families, asked.header(b"accept") or "")
    return Answer(body, media_type=media_type, headers=(("vary", "accept"),))
