"""The contract of script steps: `context` in, `result` out, files in one scope, JSON values only."""

import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capably.expr.source import ABSENT
from capably.scripts.failure import Failure
from capably.scripts.sandboxes import Sandboxes

if TYPE_CHECKING:
    from tests.scripts.conftest import Fails, MakeScript, Run

VALUES = {
    "text": "é \U0001f6a2 \"'\\\n\u2028",
    "int": 7,
    "float": 2.5,
    "none": None,
    "yes": True,
    "no": [{"a": []}, {}],
}


class TestBothLanguages:
    async def test_what_goes_in_comes_out(self, run: "Run", language: str) -> None:
        assert await run(language, "result = context", context=VALUES) == VALUES

    async def test_a_script_that_assigns_nothing_has_no_result(self, run: "Run", language: str) -> None:
        assert await run(language, "1 + 1") is ABSENT

    async def test_a_result_of_null_is_a_result(self, run: "Run", language: str) -> None:
        assert await run(language, {"javascript": "result = null", "python": "result = None"}[language]) is None

    async def test_integers_stay_integers(self, run: "Run", language: str) -> None:
        result = await run(language, "result = [context['n'], context['n'] + 1, 0.5]", context={"n": 41})
        assert result == [41, 42, 0.5]
        assert [type(item) for item in result] == [int, int, float]

    async def test_the_context_is_a_copy(self, run: "Run", language: str) -> None:
        context = {"list": [1]}
        append = {"javascript": "context.list.push(2)", "python": "context['list'].append(2)"}[language]
        assert await run(language, f"{append}\nresult = context['list']", context=context) == [1, 2]
        assert context == {"list": [1]}

    async def test_a_result_of_too_many_bytes_is_refused(self, fails: "Fails", language: str) -> None:
        repeat = {"javascript": "result = 'x'.repeat(5000000)", "python": "result = 'x' * 5000000"}[language]
        problem = await fails(language, repeat)
        assert problem.failure is Failure.RESULT
        assert "`result` is too large" in problem.message

    async def test_a_result_that_nests_too_deep_is_refused(self, fails: "Fails", language: str) -> None:
        nest = {"javascript": "let a = 1; for (let i = 0; i < 150; i++) a = [a]; result = a",
                "python": "a = 1\nfor i in range(150): a = [a]\nresult = a"}[language]  # fmt: skip
        assert (await fails(language, nest)).message.startswith("`result` nests deeper than 100 levels")

    async def test_half_a_surrogate_pair_becomes_a_replacement_character(self, run: "Run", language: str) -> None:
        assert await run(language, 'result = "\\ud800"') == "\ufffd"

    async def test_names_of_the_sandbox_are_free_for_scripts(self, run: "Run", language: str) -> None:
        assert await run(language, "finish = 1" if language == "python" else "let finish = 1, start = 2") is ABSENT

    async def test_a_syntax_error_tells_file_and_line(self, fails: "Fails", language: str) -> None:
        problem = await fails(language, "\n\nx = = 1")
        assert (problem.failure, problem.file, problem.line) == (Failure.SYNTAX, "main", 3)


async def test_javascript_files_share_one_scope_in_order(run: "Run") -> None:
    first, second = "const rate = 2; function twice(x) { return x * rate }", "class Ship { name() { return 'A' } }"
    assert await run(
        "javascript", "result = [twice(context.n), new Ship().name()]", first, second, context={"n": 4}
    ) == [8, "A"]


async def test_python_files_share_one_scope_in_order(run: "Run") -> None:
    first, second = "rate = 2\ndef twice(x): return x * rate", "names = [str(twice(n)) for n in context['list']]"
    assert await run("python", "result = names", first, second, context={"list": [1, 2]}) == ["2", "4"]


@pytest.mark.parametrize("declared", ["result = 3", "var result = 3", "let result = 3", "const result = 3"])
async def test_javascript_may_declare_its_result(run: "Run", declared: str) -> None:
    assert await run("javascript", declared) == 3


async def test_javascript_may_await_what_is_there(run: "Run") -> None:
    assert await run("javascript", "(async () => { result = await Promise.resolve(7) })()") == 7


@pytest.mark.parametrize(
    ("assigned", "message"),
    [
        ("NaN", "`result` is NaN, which is no JSON number"),
        ("{a: [1, {b: Infinity}]}", "`result.a[1].b` is Infinity, which is no JSON number"),
        ("new Date()", "`result` is a Date: make it text, a number, a list or a plain object"),
        ("{f() {}}", "`result.f` is a function, which JSON has no word for"),
        ("{toJSON: () => 1}", "`result.toJSON` is a function, which JSON has no word for"),
        ("10n", "`result` is a BigInt: make it a number with Number(), or text with String()"),
        ("[new Map()]", "`result[0]` is a Map: make it text, a number, a list or a plain object"),
        ("Promise.resolve(1)", "`result` is a Promise: make it text, a number, a list or a plain object"),
        ("Symbol()", "`result` is a symbol, which JSON has no word for"),
        (
            "globalThis.self = {}; self.self = self; result = self",
            "`result` nests deeper than 100 levels: does it hold itself?",
        ),
    ],
)
async def test_javascript_values_that_json_lacks_are_refused(fails: "Fails", assigned: str, message: str) -> None:
    problem = await fails("javascript", f"result = {assigned}")
    assert (problem.failure, problem.message, problem.file) == (Failure.RESULT, message, "main")


@pytest.mark.parametrize(
    ("assigned", "message"),
    [
        ("float('nan')", "ValueError: Out of range float values are not JSON compliant: nan"),
        ("1e999", "ValueError: Out of range float values are not JSON compliant: inf"),
        ("lambda: 1", "TypeError: Object of type function is not JSON serializable"),
        ("{1, 2}", "TypeError: Object of type set is not JSON serializable"),
        ("b'x'", "TypeError: Object of type bytes is not JSON serializable"),
        ("__import_date()", "TypeError: Object of type date is not JSON serializable"),
    ],
)
async def test_python_values_that_json_lacks_are_refused(fails: "Fails", assigned: str, message: str) -> None:
    date = "import datetime\ndef __import_date(): return datetime.date(2026, 1, 2)"
    problem = await fails("python", f"result = {assigned}", date)
    assert (problem.failure, problem.message) == (Failure.RESULT, f"`result` cannot be told as JSON: {message}")


async def test_javascript_instances_are_their_own_fields(run: "Run") -> None:
    assert await run("javascript", "class A { constructor() { this.x = 1 } } result = [new A(), [1, , undefined]]") == [
        {"x": 1},
        [1, None, None],
    ]


async def test_python_integers_have_any_size_and_tuples_are_lists(run: "Run") -> None:
    assert await run("python", "result = [10 ** 30, (1, 2), {3: 4}]") == [10**30, [1, 2], {"3": 4}]


JS_HELP = "// one\n\nfunction help(x) {\n  x.y.z()\n}"
PY_HELP = "# one\n\ndef help(x):\n  return 1 / x\n"


@pytest.mark.parametrize(
    ("language", "files", "told"),
    [
        ("javascript", ("\nhelp({})", JS_HELP), "TypeError: cannot read property 'z' of undefined (first:4)"),
        ("javascript", ("\n\nmissing()", "var a"), "ReferenceError: missing is not defined (main:3)"),
        ("javascript", ("throw 'plain'",), "plain (main)"),
        ("javascript", ("throw 5",), "5 was thrown (main)"),
        ("javascript", ("throw null",), "null was thrown (main)"),
        ("python", ("\nhelp(0)", PY_HELP), "ZeroDivisionError: division by zero (first:4)"),
        ("python", ("\n\nraise ValueError('no ship')", "a = 1"), "ValueError: no ship (main:3)"),
        ("python", ("\ndef f():\n  yield 1",), "the sandbox's Python has no yield expressions (main:3)"),
    ],
)
async def test_an_error_tells_what_and_where(fails: "Fails", language: str, files: tuple[str, ...], told: str) -> None:
    assert str(await fails(language, *files)) == told


CHATTY = {
    "javascript": "console.log('one', {a: [1]}, undefined); console.error(new Error('two')); "
    "console.warn('a\\nb\\x1b[31m')",
    "python": "print('one', {'a': [1]}, None)\nprint('two', end='')\nprint('\\nb\\x1b[31m')",
}


async def test_what_is_printed_goes_to_the_operators_log(
    run: "Run", language: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "capably.scripts")
    await run(language, CHATTY[language])
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "capably.scripts"]
    expected = {
        "javascript": [
            ("INFO", 'main: one {"a":[1]} undefined'),
            ("ERROR", "main: Error: two"),
            ("WARNING", "main: a\\nb\\x1b[31m"),
        ],
        "python": [("INFO", "main: one {'a': [1]} None"), ("INFO", "main: two"), ("INFO", "main: b\\x1b[31m")],
    }
    assert told == expected[language]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("language", "main"),
    [
        ("javascript", "for (let i = 0; i < 250; i++) console.log('x'.repeat(i * 20))"),
        ("python", "for i in range(250): print('x' * i * 20)"),
    ],
)
async def test_a_chatty_script_fills_no_log(
    run: "Run", language: str, main: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "capably.scripts")
    await run(language, main)
    assert len(caplog.messages) == 101
    assert max(map(len, caplog.messages)) < 1020
    assert caplog.messages[-1] == "main: 150 more lines are not logged"


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-(2.0**53), 2.0**53)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(value=JSON)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_json_value_passes_through_unchanged(
    sandboxes: Sandboxes, script: "MakeScript", language: str, value: Any
) -> None:
    assert await sandboxes.execute(script(language, "result = context['value']"), {"value": value}) == value
