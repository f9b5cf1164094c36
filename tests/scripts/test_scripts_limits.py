"""Limits: a script that takes too much is stopped and told which limit it was; the next one runs as ever."""

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from capably.scripts.failure import Failure
from capably.scripts.sandboxes import Sandboxes

if TYPE_CHECKING:
    from tests.scripts.conftest import Fails, MakeScript, Run

ENDLESS = {"javascript": "for (;;);", "python": "while True: pass"}
STUBBORN = {
    "javascript": "try { for (;;); } catch (e) { result = 1 } finally { result = 2 }",
    "python": "try:\n  while True: pass\nexcept BaseException:\n  result = 1\nfinally:\n  result = 2",
}
MEMORY = [
    ("javascript", "const a = []; for (;;) a.push('x'.repeat(10000) + a.length)"),
    ("javascript", "'x'.repeat(1e9)"),
    ("javascript", "new ArrayBuffer(2e9)"),
    ("javascript", "let s = 'x'; for (;;) s += s"),
    ("javascript", "new Array(3e7).fill(0)"),
    ("javascript", "'x'.repeat(3e7).split('')"),
    ("javascript", "try { const a = []; for (;;) a.push(new Uint8Array(1e6)) } catch (e) { throw e }"),
    ("python", "x = []\nwhile True: x.append('a' * 10000)"),
    ("python", "x = 'a' * 10 ** 9"),
    ("python", "x = [0] * 10 ** 9"),
    ("python", "x = 7 ** 10 ** 9"),
    ("python", "x = f'{1:>999999999}'"),
    ("python", "try:\n  x = 'a' * 10 ** 9\nexcept BaseException:\n  result = 1"),
]
STACK = [
    ("javascript", "function f() { return f() + 1 } f()"),
    ("javascript", "eval('('.repeat(100000))"),
    ("javascript", "const o = {get a() { return this.a }}; o.a"),
    ("javascript", "try { (function f() { f() })() } catch (e) { result = 1 }"),
    ("python", "def f(): return f() + 1\nf()"),
    ("python", "class A:\n  def f(self): return self.f()\nA().f()"),
]
SLOW_INSIDE = [
    ("javascript", "/(a+)+$/.test('a'.repeat(40) + 'b')"),
    ("javascript", "/((((a*)*)*)*)*b/.exec('a'.repeat(40))"),
    ("javascript", "new Array(1e9).join()"),
    ("javascript", "BigInt('9'.repeat(300000)).toString()"),
    ("javascript", "let b = [1]; for (let i = 0; i < 40; i++) b = [b, b, b]; JSON.stringify(b)"),
    ("javascript", "Array.prototype.indexOf.call(new Proxy([], {get: (t, k) => k === 'length' ? 2 ** 32 : 0}), 1)"),
    ("javascript", "result = {get a() { for (;;); }}"),
    ("javascript", "result = new Proxy({}, {ownKeys() { for (;;); }})"),
    ("python", "sum(x * x for x in range(10 ** 9))"),
    ("python", "x = 7 ** 10000000 % 3"),
]  # fmt: skip


@pytest.mark.parametrize("scripts", [ENDLESS, STUBBORN], ids=["endless", "stubborn"])
async def test_time_ends_a_script_whatever_it_catches(
    run: "Run", fails: "Fails", language: str, scripts: dict[str, str]
) -> None:
    began = time.monotonic()
    problem = await fails(language, scripts[language], timeout_s=0.5)
    assert time.monotonic() - began < 5
    assert problem.failure is Failure.TIME
    assert str(problem) == (
        "exceeded the timeout limit (500 ms): do less, or raise `management.scripting.timeout` of the control server"
    )
    assert await run(language, "result = 1") == 1


@pytest.mark.parametrize(("language", "main"), SLOW_INSIDE)
async def test_time_ends_a_script_inside_a_single_long_operation(
    run: "Run", fails: "Fails", language: str, main: str
) -> None:
    problem = await fails(language, main, timeout_s=0.5)
    assert problem.failure in {Failure.TIME, Failure.MEMORY}  # whichever a machine reaches first
    assert await run(language, "result = 1") == 1


async def test_statements_end_a_script_long_before_its_time(run: "Run", fails: "Fails", language: str) -> None:
    began = time.monotonic()
    problem = await fails(language, STUBBORN[language], statements=20_000, timeout_s=60)
    assert time.monotonic() - began < 10
    assert problem.failure is Failure.STATEMENTS
    told = ", which is 0.4 s of computing in Python" if language == "python" else ""
    assert str(problem) == (
        f"exceeded the statement limit (20000){told}: do less, or raise `management.scripting.statementLimit` "
        "of the control server"
    )
    assert await run(language, "result = 1") == 1


@pytest.mark.parametrize(
    "main",
    [
        "Promise.resolve().then(function again() { Promise.resolve().then(again) })",
        "Promise.resolve().then(() => { for (;;); })",
        "(async () => { for (;;) await null })()",
        "queueMicrotask(function again() { queueMicrotask(again) })",
    ],
)
async def test_promises_do_not_escape_the_statement_limit(run: "Run", fails: "Fails", main: str) -> None:
    assert (await fails("javascript", main, statements=100_000)).failure is Failure.STATEMENTS
    assert await run("javascript", "result = 1") == 1


async def test_the_published_statement_limit_is_enough_for_ordinary_work(run: "Run") -> None:
    count = "let n = 0; for (const x of context.list) n += x.v; result = n"
    rows = [{"v": 1}] * 10_000
    assert await run("javascript", count, context={"list": rows}, statements=100_000) == 10_000
    big = "result = context.list"
    assert len(await run("javascript", big, context={"list": rows * 10}, statements=100_000)) == 100_000


@pytest.mark.parametrize(("language", "main"), MEMORY)
async def test_memory_is_limited_and_the_process_lives(run: "Run", fails: "Fails", language: str, main: str) -> None:
    problem = await fails(language, main, mebibytes=32)
    assert problem.failure is Failure.MEMORY
    assert problem.message == (
        "exceeded the memory limit (32 MiB): keep less at once, or raise `management.scripting.memoryLimit` "
        "of the control server"
    )
    assert await run(language, "result = 1") == 1


@pytest.mark.parametrize(("language", "main"), STACK)
async def test_the_depth_of_calls_is_limited_and_the_process_lives(
    run: "Run", fails: "Fails", language: str, main: str
) -> None:
    problem = await fails(language, main)
    assert problem.failure is Failure.STACK
    assert problem.message == "exceeded the depth of calls: it calls itself without end, or nests too deep"
    assert await run(language, "result = 1") == 1


async def test_nothing_sleeps(fails: "Fails") -> None:
    began = time.monotonic()
    problem = await fails("python", "import time\ntime.sleep(5)")
    assert time.monotonic() - began < 4
    assert "sleep limit exceeded" in problem.message


async def test_a_hundred_scripts_at_once_mix_nothing_and_leave_the_loop_alone(
    sandboxes: Sandboxes, script: "MakeScript", language: str
) -> None:
    main = {
        "javascript": "let n = 0; for (let i = 0; i < 40000; i++) n += 1; result = [context.i, n]",
        "python": "n = 0\nfor i in range(40000): n += 1\nresult = [context['i'], n]",
    }[language]
    work = script(language, main)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    await sandboxes.execute(work, {"i": 0})
    ticker = asyncio.create_task(tick())
    began = time.monotonic()
    results = await asyncio.gather(*(sandboxes.execute(work, {"i": i}) for i in range(100)))
    took = time.monotonic() - began
    ticker.cancel()
    assert results == [[i, 40000] for i in range(100)]
    assert ticks > took / 0.01 / 5


async def test_a_cancelled_script_ends_and_makes_room(
    sandboxes: Sandboxes, script: "MakeScript", language: str
) -> None:
    endless = script(language, ENDLESS[language], statements=10**15, timeout_s=600)
    running = [asyncio.create_task(sandboxes.execute(endless, {})) for _ in range(8)]
    await asyncio.sleep(0.3)
    for task in running:
        task.cancel()
    ended = await asyncio.gather(*running, return_exceptions=True)
    assert all(isinstance(item, asyncio.CancelledError) for item in ended)
    async with asyncio.timeout(20):
        assert await sandboxes.execute(script(language, "result = 1"), {}) == 1
