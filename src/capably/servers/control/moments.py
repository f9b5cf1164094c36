"""Moments and durations as ISO 8601 writes them."""

from datetime import UTC, datetime, timedelta


def written(moment: datetime) -> str:
    """A moment in UTC, to the millisecond: `2026-11-24T02:40:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def of_nanoseconds(at: int) -> str:
    """The same for Unix nanoseconds."""
    return of_seconds(at / 1e9)


def of_seconds(at: float) -> str:
    """The same for Unix seconds."""
    return written(datetime.fromtimestamp(at, UTC))


def duration(passed: timedelta) -> str:
    """A duration as `PT1H2M3.5S`: the published form of the uptime."""
    tenths = max(0, round(passed.total_seconds() * 10))
    hours, tenths = divmod(tenths, 36_000)
    minutes, tenths = divmod(tenths, 600)
    seconds = f"{tenths / 10:g}S" if tenths or not (hours or minutes) else ""
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + seconds
