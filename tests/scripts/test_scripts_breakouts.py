"""Attempts to break out of a sandbox: each is made for real, none reaches anything, nothing stays for the next call."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from capably.scripts.failure import Failure

if TYPE_CHECKING:
    from tests.scripts.conftest import Fails, Run

JAVASCRIPT_NAMES = [
    *("process", "require", "module", "exports", "global", "Deno", "Bun", "fetch", "XMLHttpRequest", "WebSocket"),
    *("Worker", "SharedWorker", "importScripts", "window", "document", "navigator", "localStorage", "indexedDB"),
    *("std", "os", "bjson", "scriptArgs", "load", "read", "readFile", "print", "quit", "gc", "WebAssembly"),
    *("setTimeout", "setInterval", "setImmediate", "host_call", "log", "start", "finish", "plain", "trail", "capably"),
]
LANGUAGE = {
    *(
        "Object",
        "Function",
        "Array",
        "Number",
        "Boolean",
        "String",
        "Symbol",
        "BigInt",
        "Date",
        "RegExp",
        "Math",
        "JSON",
    ),
    *("Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError", "InternalError"),
    *("AggregateError", "SuppressedError", "DOMException", "Iterator", "Promise", "Proxy", "Reflect", "globalThis"),
    *("parseInt", "parseFloat", "isNaN", "isFinite", "decodeURI", "decodeURIComponent", "encodeURI", "escape"),
    *("encodeURIComponent", "unescape", "Infinity", "NaN", "undefined", "eval", "queueMicrotask", "performance"),
    *("Map", "Set", "WeakMap", "WeakSet", "WeakRef", "FinalizationRegistry", "DisposableStack", "AsyncDisposableStack"),
    *("ArrayBuffer", "SharedArrayBuffer", "DataView", "Atomics", "Uint8ClampedArray", "Int8Array", "Uint8Array"),
    *("Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "BigInt64Array", "BigUint64Array", "Float16Array"),
    *("Float32Array", "Float64Array", "btoa", "atob"),
}
ESCAPES = [
    "(function () { return this })()",
    "[].constructor.constructor('return process')()",
    "(async () => {}).constructor('return require')()",
    "(function* () {}).constructor('yield globalThis.process.env')().next().value.x",
    "console.log.constructor('return process.env')()",
    "new Function('return import.meta')()",
    "Reflect.construct(Function, ['return require(\"fs\")'])()",
    "Error.prepareStackTrace = (e, s) => s; new Error().stack[0].getThis().process.env",
    "console.log.caller.arguments[0].process",
    'eval(\'require("child_process").execSync("id")\')',
    "(0, eval)('new XMLHttpRequest()')",
    "import.meta.url",
]
IMPORTS = [
    "fs",
    "node:fs",
    "std",
    "os",
    "qjs:os",
    "file:///etc/passwd",
    "/etc/passwd",
    "./main.js",
    "https://up.test/x.js",
]
PYTHON = [
    ("import subprocess", "ModuleNotFoundError"),
    ("import socket", "ModuleNotFoundError"),
    ("import ctypes", "ModuleNotFoundError"),
    ("import importlib", "ModuleNotFoundError"),
    ("import builtins", "ModuleNotFoundError"),
    ("import urllib.request", "ModuleNotFoundError"),
    ("import capably", "ModuleNotFoundError"),
    ("import main", "ModuleNotFoundError"),
    ("from os import system", "ImportError"),
    ("import os\nos.system('id')", "AttributeError"),
    ("import os\nos.fork()", "AttributeError"),
    ("import os\nos.kill(1, 9)", "AttributeError"),
    ("__import__('os')", "NameError"),
    ("__builtins__", "NameError"),
    ("globals()", "NameError"),
    ("breakpoint()", "NameError"),
    ("input()", "NameError"),
    ("exit()", "NameError"),
    ("().__class__.__bases__[0].__subclasses__()", "AttributeError"),
    ("''.__class__.__mro__", "AttributeError"),
    ("(lambda: 0).__globals__", "AttributeError"),
    ("(lambda: 0).__code__", "AttributeError"),
    ("print.__self__", "AttributeError"),
    ("f'{context.__class__.__init__.__globals__}'", "AttributeError"),
    ("'{0.__class__}'.format(context)", "AttributeError"),
    ('eval(\'__import__("os").system("id")\')', "NameError"),
    ("exec('import subprocess')", "ModuleNotFoundError"),
    ("try:\n  1 / 0\nexcept ZeroDivisionError as e:\n  e.__traceback__.tb_frame.f_back.f_globals", "AttributeError"),
]


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file and a variable that no script may see."""
    file = tmp_path / "secret.txt"
    file.write_text("s3cret")
    monkeypatch.setenv("CAPABLY_TEST_SECRET", "s3cret")
    return file


def is_untouched(file: Path) -> bool:
    return file.read_text() == "s3cret"


@pytest.mark.parametrize("name", JAVASCRIPT_NAMES)
async def test_javascript_has_no_such_name(run: "Run", name: str) -> None:
    assert await run("javascript", f"result = typeof {name} + typeof globalThis[{name!r}]") == "undefinedundefined"


@pytest.mark.parametrize("attempt", ESCAPES)
async def test_javascript_finds_no_way_out_through_constructors_and_eval(run: "Run", attempt: str) -> None:
    look = f"const found = eval({attempt!r}); result = typeof found?.env + typeof found?.pid"
    wrapped = f"try {{ {look} }} catch (e) {{ result = 'none' }}"
    assert await run("javascript", wrapped) in {"none", "undefinedundefined"}


@pytest.mark.parametrize("name", IMPORTS)
async def test_javascript_imports_nothing(run: "Run", name: str) -> None:
    attempt = f"import({name!r}).then(m => {{ result = 'got it' }}, e => {{ result = e.name }})"
    assert await run("javascript", attempt) == "ReferenceError"


async def test_javascript_sees_only_the_language_and_what_it_is_given(run: "Run") -> None:
    names = await run("javascript", "result = Object.getOwnPropertyNames(globalThis)")
    ours = {"context", "result", "console"}
    assert set(names) - LANGUAGE == ours


@pytest.mark.parametrize("mode", ["", ", 'w'", ", 'rb'"])
async def test_python_opens_no_file(fails: "Fails", secret: Path, mode: str) -> None:
    problem = await fails("python", f"result = open({str(secret)!r}{mode}).read()")
    assert problem.message.startswith("PermissionError")
    assert is_untouched(secret)


@pytest.mark.parametrize(
    "attempt",
    [
        "from pathlib import Path\nresult = Path({file!r}).read_text()",
        "from pathlib import Path\nPath({file!r}).unlink()",
        "from pathlib import Path\nPath({file!r}).write_text('x')",
        "from pathlib import Path\nresult = [str(p) for p in Path('/').iterdir()]",
        "import os\nresult = os.listdir('/')",
        "import os\nos.remove({file!r})",
        "import os\nresult = dict(os.environ)",
        "import os\nresult = os.getenv('CAPABLY_TEST_SECRET')",
        "import os\nresult = os.environ['CAPABLY_TEST_SECRET']",
    ],
)
async def test_python_reaches_no_files_and_no_environment(fails: "Fails", secret: Path, attempt: str) -> None:
    problem = await fails("python", attempt.format(file=str(secret)))
    assert problem.failure is Failure.THREW
    assert "s3cret" not in problem.message
    assert is_untouched(secret)


@pytest.mark.parametrize(("attempt", "error"), PYTHON)
async def test_python_finds_no_way_out(fails: "Fails", attempt: str, error: str) -> None:
    problem = await fails("python", f"result = 0\n{attempt}")
    assert (problem.failure, problem.message.partition(":")[0]) == (Failure.THREW, error)


async def test_a_script_does_not_run_as_this_process(run: "Run", fails: "Fails", language: str) -> None:
    if language == "javascript":
        assert await run("javascript", "result = [typeof process, new Error().stack.includes('/')]") == [
            "undefined",
            False,
        ]
    else:
        assert await run("python", "import os\nresult = os.getcwd()") == "/"
        assert str(os.getpid()) not in (await fails("python", "import os\nos.getpid()")).message


@pytest.mark.parametrize(
    ("poison", "probe", "expected"),
    [
        ("Object.prototype.polluted = 'yes'; result = 1", "result = typeof ({}).polluted", "undefined"),
        ("Array.prototype.map = () => 'mine'; result = 1", "result = [1].map(x => x + 1)", [2]),
        ("JSON.stringify = () => '\"mine\"'; JSON.parse = null; result = [1]", "result = JSON.parse('[2]')", [2]),
        ("globalThis.leak = context.secret; result = 1", "result = typeof leak", "undefined"),
        ("const leak = context.secret; result = 1", "result = typeof leak", "undefined"),
        ("Object.freeze(Object.prototype); result = 1", "Object.prototype.x = 1; result = ({}).x", 1),
        ("Promise.prototype.then = null; result = 1", "result = typeof Promise.prototype.then", "function"),
    ],
)
async def test_nothing_a_javascript_call_does_is_there_in_the_next(
    run: "Run", poison: str, probe: str, expected: object
) -> None:
    for _ in range(5):
        assert await run("javascript", poison, context={"secret": "s3cret"}) in (1, [1])
        assert await run("javascript", probe) == expected


@pytest.mark.parametrize(
    ("poison", "probe"),
    [
        ("leak = context['secret']\nresult = 1", "leak"),
        ("import json\nalias = json\nresult = 1", "alias"),
        ("def len(x): return 7\nimport random\nrandom.seed(1)\nresult = 1", "secret"),
        ("class Ship: secret = context['secret']\nresult = 1", "Ship"),
    ],
)
async def test_nothing_a_python_call_does_is_there_in_the_next(
    run: "Run", fails: "Fails", poison: str, probe: str
) -> None:
    for _ in range(5):
        assert await run("python", poison, context={"secret": "s3cret"}) == 1
        assert (await fails("python", f"result = {probe}")).message == f"NameError: name '{probe}' is not defined"
        assert await run("python", "result = [len([1]), sorted(context)]") == [1, []]


@pytest.mark.parametrize(
    "attempt",
    [
        "JSON.stringify = () => 'forged'; result = {a: 1}",
        "Array.isArray = () => true; Object.keys = () => ['x']; result = {a: 1}",
        "Object.prototype.toJSON = () => 9; Array.prototype.toJSON = () => 8; result = {a: 1}",
        "String.prototype.slice = () => 'Object'; Object.prototype.toString = () => '[object Date]'; result = {a: 1}",
        "Reflect.apply = () => 'Date'; Object.create = () => ({b: 2}); result = {a: 1}",
        "Object.defineProperty(Object.prototype, 'a', {set(v) {}}); result = Object.fromEntries([['a', 1]])",
        "globalThis.JSON = null; globalThis.Object = null; globalThis.Reflect = null; result = {a: 1}",
    ],
)
async def test_a_script_cannot_change_how_its_result_is_read(run: "Run", attempt: str) -> None:
    assert await run("javascript", attempt) == {"a": 1}


async def test_a_key_called_proto_is_a_key(run: "Run") -> None:
    context = {"in": {"__proto__": {"admin": True}, "constructor": 1}}
    assert await run("javascript", "result = [context.in, ({}).admin === undefined]", context=context) == [
        context["in"],
        True,
    ]
