"""QuickJS as a WebAssembly module under wasmtime: what a script can reach is the table of imports below, nothing else.

The module is the one that the package `quickjs-rs` brings (quickjs-ng, compiled to wasm32-wasip1). Its own driver is
not used: it lends the module WASI and standard output, and has no limit that holds inside a long native operation.
Here the module has memory of its own with a cap on its growth, a stack of its own, an epoch at which it is trapped
wherever it is, and stand-ins for the few functions it imports. A trap ends one instance; the process goes on.
"""

import os
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, cast

import wasmtime

OUT_OF_MEMORY = "out of memory"
"""The message of the error that QuickJS throws."""
TICK_S = 0.01
"""How often the epoch advances while scripts run: how exactly time is kept."""
POLL_STATEMENTS = 10_000
"""QuickJS asks whether to go on once in so many calls and branches."""
_OVERHEAD_BYTES = 4 * 2**20
_STACK_BYTES = 512 * 1024
_ARENA_BYTES = 16 * 1024
_MOST_JOBS = 100_000  # where the module's own loop over jobs stops


class GuestError(Exception):
    """An exception of the script: its name, its message, its stack as QuickJS tells it."""

    def __init__(self, name: str, message: str, stack: str) -> None:
        """Keep all three."""
        super().__init__(f"{name}: {message}" if name else message)
        self.name = name
        self.message = message
        self.stack = stack


@dataclass(slots=True)
class Watch:
    """What the host decides while a script runs: statements left, whether to stop, where messages go."""

    statements: int
    log: Callable[[str, str], None] = lambda _level, _text: None
    is_cancelled: threading.Event = field(default_factory=threading.Event)
    ran_out: bool = False

    def poll(self) -> bool:
        """Whether to stop; called once in ``POLL_STATEMENTS``."""
        self.ran_out = self.ran_out or self.statements < 0
        self.statements -= POLL_STATEMENTS
        return self.ran_out or self.is_cancelled.is_set()


class Guest:
    """One instance: a realm of its own in memory of its own, used by one thread, then dropped with all it holds."""

    def __init__(self, memory_bytes: int, timeout_s: float, watch: Watch) -> None:
        """Instantiate, which takes about a millisecond; the clock starts now."""
        engine = _engine()
        self.watch = watch
        self._memory_bytes = memory_bytes
        self._store = wasmtime.Store(engine.engine)
        self._store.set_limits(memory_size=memory_bytes + _OVERHEAD_BYTES, instances=1, memories=1, tables=1)
        self._store.set_epoch_deadline(max(1, round(timeout_s / TICK_S)) + 1)
        _CURRENT.guest = self  # imports are shared by all instances: the thread tells which one calls
        self._exports = engine.linker.instantiate(self._store, engine.module).exports(self._store)
        self._functions: dict[str, wasmtime.Func] = {}
        self._memory = cast(wasmtime.Memory, self._exports["memory"])
        self._arena, self._left = self._call("qjs_alloc", _ARENA_BYTES), _ARENA_BYTES
        self._out = self._bytes(bytes(8))
        self._call("set_memory_limit", memory_bytes)
        self._call("set_max_stack_size", _STACK_BYTES)
        engine.clock.start()

    def close(self) -> None:
        """Give the memory back."""
        _CURRENT.guest = None
        self._store.close()

    @property
    def is_full(self) -> bool:
        """Whether its memory has grown as far as it may."""
        return self._memory.data_len(self._store) > self._memory_bytes * 3 // 4

    def evaluate(self, source: str) -> int:
        """Run a text as a script of the realm; the handle of its value.

        Raises:
            GuestError: it threw. ``wasmtime.Trap``: it was stopped.
        """
        return self._result("eval_code", *self._text(source))

    def call(self, function: int, *arguments: int) -> int:
        """Call a function with values, all by their handles.

        Raises:
            GuestError: it threw. ``wasmtime.Trap``: it was stopped.
        """
        start = self._bytes(struct.pack(f"<{len(arguments)}i", *arguments))
        return self._result("call_function", function, self.undefined(), start, len(arguments))

    def item(self, array: int, position: int) -> int:
        """The handle of an element."""
        return self._result("get_index", array, position)

    def undefined(self) -> int:
        """The handle of ``undefined``."""
        return self._call("new_undefined")

    def text(self, value: str) -> int:
        """The handle of a new string."""
        return self._call("new_string", *self._text(value))

    def logger(self) -> int:
        """The handle of a function (level, text) that writes to the log."""
        return self._call("new_function", *self._text("log"))

    def run_jobs(self) -> bool:
        """Run what promises left to be done; whether that came to an end."""
        return self._call("execute_pending_jobs") < _MOST_JOBS and not self.watch.ran_out

    def read(self, handle: int) -> str:
        """The text of a string or a number; of another value, what kind it is."""
        if self._call("get_string", handle) == _OK:
            return self._taken()
        if self._call("get_number", handle, self._out) == _OK:
            return f"{struct.unpack('<d', self.read_bytes(self._out, 8))[0]:.17g}"
        return self._kind(handle)

    def read_bytes(self, start: int, size: int) -> bytes:
        """Bytes of the instance's memory."""
        return bytes(self._memory.read(self._store, start, start + size))

    def write_bytes(self, data: bytes, start: int) -> None:
        """Write to the instance's memory; what is out of it is an error of wasmtime."""
        self._memory.write(self._store, data, start)

    def _call(self, name: str, *arguments: int) -> int:
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = cast(wasmtime.Func, self._exports[name])
        return cast(int, function(self._store, *arguments))

    def _result(self, name: str, *arguments: int) -> int:
        status = self._call(name, *arguments, self._out)
        if status == _THREW:
            raise self._exception()
        if status != _OK:
            raise GuestError("InternalError", f"the sandbox answered {status}", "")
        return self._handle()

    def _exception(self) -> GuestError:
        if self._call("last_exception", self._out) != _OK:
            return GuestError("InternalError", "unknown", "")
        thrown = self._handle()
        kind = self._kind(thrown)
        if kind in _PRIMITIVES:
            # QuickJS throws null when not even an error fits into memory any more.
            if kind == "null" and self.is_full:
                return GuestError("InternalError", OUT_OF_MEMORY, "")
            return GuestError("", self.read(thrown) if kind == "string" else f"{self.read(thrown)} was thrown", "")
        return GuestError(*(self._property(thrown, name) for name in ("name", "message", "stack")))

    def _property(self, value: int, name: str) -> str:
        """A property that is text, of a value that may be a trap in itself."""
        if self._call("get_prop", value, *self._text(name), self._out) != _OK:
            return ""
        handle = self._handle()
        return self.read(handle) if self._kind(handle) == "string" else ""

    def _handle(self) -> int:
        return int(struct.unpack("<i", self.read_bytes(self._out, 4))[0])

    def _kind(self, handle: int) -> str:
        self._call("type_of", handle)
        return self._taken()

    def _taken(self) -> str:
        size = self._call("qjs_last_len")
        data = self.read_bytes(self._call("qjs_last_ptr"), size) if size else b""
        return data.decode("utf-8", "replace")

    def _text(self, text: str) -> tuple[int, int]:
        data = text.encode("utf-8", "replace")
        return self._bytes(data), len(data)

    def _bytes(self, data: bytes) -> int:
        """Put bytes into the instance's memory, where they stay: it is short-lived."""
        if len(data) <= self._left:
            start, taken = self._arena, (len(data) + 7) & ~7
            self._arena, self._left = start + taken, self._left - taken
        else:
            start = self._call("qjs_alloc", len(data))
        if start == 0:
            raise GuestError("InternalError", OUT_OF_MEMORY, "")
        self.write_bytes(data, start)
        return start


_OK, _THREW = 0, 1
_PRIMITIVES = frozenset({"string", "number", "boolean", "bigint", "symbol", "null", "undefined"})
_CURRENT = threading.local()


@dataclass(frozen=True, slots=True)
class _Engine:
    engine: wasmtime.Engine
    module: wasmtime.Module
    linker: wasmtime.Linker
    clock: "_Clock"


class _Clock:
    """Advances the epoch while scripts run; without one it sleeps."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self._running = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._advance, name="capably-script-clock", daemon=True).start()

    def start(self) -> None:
        """One script more."""
        with self._changed:
            self._running += 1
            self._changed.notify()

    def stop(self) -> None:
        """One script less."""
        with self._changed:
            self._running -= 1

    def _advance(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running > 0)
            time.sleep(TICK_S)
            self._engine.increment_epoch()


@cache
def _engine() -> _Engine:
    """The compiled module and its imports, made once: about a second, or some milliseconds from wasmtime's cache."""
    engine = wasmtime.Engine(_config())
    module = wasmtime.Module(engine, files("quickjs_rs").joinpath("_guest.wasm").read_bytes())
    linker = wasmtime.Linker(engine)
    for where, name, parameters, results, function in _IMPORTS:
        linker.define_func(where, name, wasmtime.FuncType(_types(parameters), _types(results)), function)
    return _Engine(engine, module, linker, _Clock(engine))


def prepare() -> None:
    """Compile the module, so that the first script does not wait for it."""
    _engine()


def _config() -> wasmtime.Config:
    config = wasmtime.Config()
    config.epoch_interruption = True
    try:
        config.cache = True
    except wasmtime.WasmtimeError:  # no home directory: it is compiled at every start
        config = wasmtime.Config()
        config.epoch_interruption = True
    return config


def _types(letters: str) -> list[wasmtime.ValType]:
    return [wasmtime.ValType.i64() if letter == "l" else wasmtime.ValType.i32() for letter in letters]


def _guest() -> "Guest":
    guest: Guest = _CURRENT.guest
    return guest


def _host_call(_name: int, _size: int, _this: int, count: int, arguments: int) -> int:
    guest = _guest()
    if count == 2:  # noqa: PLR2004 -- level and text
        level, text = struct.unpack("<2i", guest.read_bytes(arguments, 8))
        guest.watch.log(guest.read(level), guest.read(text))
    return guest.undefined()


def _interrupt() -> int:
    return int(_guest().watch.poll())


def _random(start: int, size: int) -> int:
    _guest().write_bytes(os.urandom(min(size, 4096)), start)
    return 0


def _clock(clock: int, _precision: int, out: int) -> int:
    _guest().write_bytes(struct.pack("<Q", time.time_ns() if clock == 0 else time.monotonic_ns()), out)
    return 0


def _no_environment(count: int, size: int) -> int:
    guest = _guest()
    guest.write_bytes(bytes(4), count)
    guest.write_bytes(bytes(4), size)
    return 0


def _exit(_code: int) -> None:
    raise GuestError("InternalError", "the sandbox gave up", "")


_BADF = 8  # WASI: a descriptor that is not open
_MISSING = -1
_WASI = "wasi_snapshot_preview1"
_IMPORTS: tuple[tuple[str, str, str, str, Callable[..., Any]], ...] = (
    ("env", "host_call", "iiiii", "i", _host_call),
    ("env", "host_interrupt", "", "i", _interrupt),
    ("env", "host_module_load", "iii", "i", lambda *_: _MISSING),
    ("env", "host_module_normalize", "iiiii", "i", lambda *_: _MISSING),
    (_WASI, "clock_time_get", "ili", "i", _clock),
    (_WASI, "environ_get", "ii", "i", lambda *_: 0),
    (_WASI, "environ_sizes_get", "ii", "i", _no_environment),
    (_WASI, "fd_close", "i", "i", lambda *_: _BADF),
    (_WASI, "fd_fdstat_get", "ii", "i", lambda *_: _BADF),
    (_WASI, "fd_seek", "ilii", "i", lambda *_: _BADF),
    (_WASI, "fd_write", "iiii", "i", lambda *_: _BADF),
    (_WASI, "proc_exit", "i", "", _exit),
    (_WASI, "random_get", "ii", "i", _random),
)
