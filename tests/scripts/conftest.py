"""Running scripts in tests: one owner of sandboxes per test, and scripts written in place."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from capably.plan.steps import Script, ScriptLimits, SourceFile
from capably.scripts.failure import ScriptError
from capably.scripts.sandboxes import Sandboxes

Run: TypeAlias = Callable[..., Awaitable[Any]]
Fails: TypeAlias = Callable[..., Awaitable[ScriptError]]
MakeScript: TypeAlias = Callable[..., Script]


@pytest.fixture(params=["javascript", "python"])
def language(request: pytest.FixtureRequest) -> str:
    """Each language, one after the other."""
    return str(request.param)


@pytest.fixture
def script() -> MakeScript:
    return _script


def _script(
    language: str, main: str, *dependencies: str, timeout_s: float = 10.0, statements: int = 10**9, mebibytes: int = 64
) -> Script:
    """A script of files `main`, `first` and `second`."""
    names = iter(("first", "second", "third"))
    return Script(
        language,
        SourceFile("main", main),
        tuple(SourceFile(next(names), text) for text in dependencies),
        ScriptLimits(timeout_s, statements, mebibytes * 2**20),
    )


@pytest.fixture
async def sandboxes() -> AsyncIterator[Sandboxes]:
    async with Sandboxes() as opened:
        yield opened


@pytest.fixture
def run(sandboxes: Sandboxes) -> Run:
    """Run a script: `run("python", "result = context['a']", context={"a": 1})`."""

    async def running(language: str, main: str, *dependencies: str, context: Any = None, **limits: Any) -> Any:
        return await sandboxes.execute(_script(language, main, *dependencies, **limits), context or {})

    return running


@pytest.fixture
def fails(run: Run) -> Fails:
    """Run a script that has to fail; the error."""

    async def running(*written: Any, **options: Any) -> ScriptError:
        with pytest.raises(ScriptError) as caught:
            await run(*written, **options)
        return caught.value

    return running
