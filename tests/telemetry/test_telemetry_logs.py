"""The log on stderr: lines for people or JSON, in one line each, with traces and without secrets."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from capably.telemetry.current import current
from capably.telemetry.log_output import LogFormat, LogSettings, log_to
from capably.telemetry.recording import Recording, Tree
from capably.telemetry.records import SpanKind

SECRET = "hunter22"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged; whatever was logged to before is restored."""
    root, ours = logging.getLogger(), logging.getLogger("capably")
    access = logging.getLogger("capably.access")
    before = (list(root.handlers), [logger.level for logger in (root, ours, access)])
    yield io.StringIO()
    root.handlers[:] = before[0]
    for logger, level in zip((root, ours, access), before[1], strict=True):
        logger.setLevel(level)


def hide(text: str) -> str:
    return text.replace(SECRET, "<KEY>")


def begin(
    stream: io.StringIO, form: LogFormat, level: str = "warning", *, colour: bool = False, access: bool = False
) -> None:
    log_to(stream, LogSettings(form, level, access), hide, colour=colour)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_tells_time_level_logger_and_message(stream: io.StringIO) -> None:
    begin(stream, LogFormat.JSON)
    logging.getLogger("capably.upstream").warning("asked with %s\nand \x1b[31mü", SECRET)

    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warning", "logger": "capably.upstream", "message": "asked with <KEY>\nand \x1b[31mü"}
    assert stream.getvalue().isascii()
    assert stream.getvalue().count("\n") == 1


def test_a_line_for_people_stays_one_line_and_steers_no_terminal(stream: io.StringIO) -> None:
    begin(stream, LogFormat.CONSOLE)
    logging.getLogger("capably.upstream").error("asked with %s\nERROR forged \x1b[31m\x9b31m", SECRET)

    (line,) = stream.getvalue().splitlines()
    assert line.endswith(" ERROR capably.upstream: asked with <KEY>\\nERROR forged \\x1b[31m\\x9b31m")


def test_a_traceback_is_indented_and_holds_no_secret(stream: io.StringIO) -> None:
    begin(stream, LogFormat.CONSOLE)
    try:
        raise ValueError(f"no {SECRET}\nERROR forged")  # noqa: TRY301 -- a traceback is wanted
    except ValueError:
        logging.getLogger("capably.rest").exception("failed")

    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("ERROR capably.rest: failed")
    assert rest[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") for line in rest)
    assert "  ValueError: no <KEY>" in rest


def test_a_record_made_in_a_request_tells_its_trace(stream: io.StringIO) -> None:
    span = Recording(Tree(0xAB, 0, "", "rest", is_sampled=True), 0, "rest.request", SpanKind.SERVER, {})
    token = current.set(span)
    try:
        begin(stream, LogFormat.JSON)
        logging.getLogger("capably.rest").warning("here")
        begin(stream, LogFormat.CONSOLE)
        logging.getLogger("capably.rest").warning("there")
    finally:
        current.reset(token)
    logging.getLogger("capably.rest").warning("outside")

    written, shown, outside = stream.getvalue().splitlines()
    assert json.loads(written)["trace_id"] == f"{0xAB:032x}"
    assert json.loads(written)["span_id"] == f"{span.span_id:016x}"
    assert shown.endswith(f"there  trace_id={0xAB:032x} span_id={span.span_id:016x}")
    assert outside.endswith("outside")


def test_colour_is_for_terminals_that_show_it(stream: io.StringIO) -> None:
    begin(stream, LogFormat.CONSOLE, colour=True)
    logging.getLogger("capably.rest").warning("here")
    assert "\x1b[33mWARNING\x1b[0m" in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "ours", "others"),
    [
        ("debug", ["debug", "info", "warning", "error"], ["warning", "error"]),
        ("warning", ["warning", "error"], ["warning", "error"]),
        ("error", ["error"], ["error"]),
    ],
)
def test_the_level_is_for_us_and_others_are_not_heard_below_warnings(
    stream: io.StringIO, level: str, ours: list[str], others: list[str]
) -> None:
    begin(stream, LogFormat.JSON, level)
    for name in ("capably.rest", "asyncio"):
        for each in ("debug", "info", "warning", "error"):
            getattr(logging.getLogger(name), each)("x")

    heard = [(line["logger"], line["level"]) for line in lines(stream)]
    assert heard == [("capably.rest", each) for each in ours] + [("asyncio", each) for each in others]


def test_the_access_log_is_heard_whatever_the_level(stream: io.StringIO) -> None:
    begin(stream, LogFormat.JSON, "error", access=True)
    fields = {"method": "GET", "path": f"/x/{SECRET}", "status": 200, "message": "not this"}
    logging.getLogger("capably.access").info("GET /x", extra={"attributes": fields})

    (line,) = lines(stream)
    assert (line["path"], line["status"], line["message"]) == ("/x/<KEY>", 200, "GET /x")
