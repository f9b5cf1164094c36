"""Avro's logical types as JSON: times as ISO 8601 text, decimals as numbers, UUIDs as text; bytes are base64.

A logical type that is not known, or stands on a type it cannot, is no error: the plain value counts (specification
1.12, "Logical types").
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any, TypeAlias

from capably.payload.contract import PayloadError
from capably.payload.leaves import encoded, finite, single

Convert: TypeAlias = Callable[[Any], Any]


def conversion(kind: str, schema: Mapping[str, Any]) -> Convert | None:
    """What makes a JSON value of a primitive of the type ``kind``; nothing when it is one already."""
    logical = schema.get("logicalType")
    if logical == "decimal" and kind in {"bytes", "fixed"}:
        return _decimal(schema.get("scale", 0), schema.get("precision"))
    if logical == "uuid" and kind == "fixed" and schema.get("size") == len(uuid.NAMESPACE_DNS.bytes):
        return lambda data: str(uuid.UUID(bytes=data))
    convert = _CONVERSIONS.get((kind, str(logical)))
    return _checked(convert, str(logical)) if convert else _PLAIN.get(kind)


def _checked(convert: Convert, logical: str) -> Convert:
    def read(value: int) -> Any:
        try:
            return convert(value)
        except (OverflowError, ValueError):
            raise PayloadError(f"the body holds a {logical} that is out of range: {value}") from None

    return read


def _decimal(scale: object, precision: object) -> Convert:
    if not isinstance(scale, int) or not isinstance(precision, int) or not 0 <= scale <= precision <= _MOST_DIGITS:
        return encoded
    return lambda data: _number(int.from_bytes(data, "big", signed=True), scale, precision)


def _number(unscaled: int, scale: int, precision: int) -> float | str:
    """The decimal as a number where a float says exactly it, as text where digits would be lost."""
    if abs(unscaled) >= 10**precision:
        raise PayloadError(f"the body holds a decimal of more than {precision} digits")
    if not scale:
        return unscaled
    exact = Decimal(unscaled).scaleb(-scale, Context(prec=precision + 1, Emin=-(10**6), Emax=10**6))
    nearest = float(exact)
    return nearest if Decimal(repr(nearest)) == exact else format(exact, "f")


def _instant(ticks: int, per_second: int) -> datetime:
    seconds, rest = divmod(ticks, per_second)
    return _EPOCH + timedelta(seconds=seconds, microseconds=rest * 1_000_000 // per_second)


def _timestamp(per_second: int) -> Convert:
    return lambda ticks: _fraction(_instant(ticks, per_second), ticks, per_second) + "Z"


def _local_timestamp(per_second: int) -> Convert:
    return lambda ticks: _fraction(_instant(ticks, per_second), ticks, per_second)


def _time(per_second: int) -> Convert:
    def read(ticks: int) -> str:
        if not 0 <= ticks < 86_400 * per_second:
            raise ValueError
        return _fraction(_instant(ticks, per_second).time(), ticks, per_second)

    return read


def _fraction(moment: datetime | time, ticks: int, per_second: int) -> str:
    """ISO 8601 with the digits that the type has, none where they are all zero."""
    digits = len(str(per_second)) - 1
    rest = ticks % per_second
    text = moment.replace(microsecond=0, tzinfo=None).isoformat()
    return f"{text}.{rest:0{digits}d}" if rest else text


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DIGITS = 1000
_MILLIS, _MICROS, _NANOS = 1000, 1_000_000, 1_000_000_000
_CONVERSIONS: dict[tuple[str, str], Convert] = {
    ("int", "date"): lambda days: date.fromordinal(_EPOCH.toordinal() + days).isoformat(),
    ("int", "time-millis"): _time(_MILLIS),
    ("long", "time-micros"): _time(_MICROS),
    ("long", "timestamp-millis"): _timestamp(_MILLIS),
    ("long", "timestamp-micros"): _timestamp(_MICROS),
    ("long", "timestamp-nanos"): _timestamp(_NANOS),
    ("long", "local-timestamp-millis"): _local_timestamp(_MILLIS),
    ("long", "local-timestamp-micros"): _local_timestamp(_MICROS),
    ("long", "local-timestamp-nanos"): _local_timestamp(_NANOS),
}
_PLAIN: dict[str, Convert] = {"bytes": encoded, "fixed": encoded, "float": single, "double": finite}
