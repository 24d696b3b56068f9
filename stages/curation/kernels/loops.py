"""Loops that numba compiles once a machine and that later processes run without importing numba.

Question: how does a short process get its compiled loops? numba takes most of a CPU second to
import and to load from its own cache. Input: a function whose annotations are the C types below.
Output: its machine code, from a file beside the package (or in the user's cache folder) that
llvmlite links. The file's name is a hash of the function, of what it calls and reads, of the
versions and of the processor, so an old one is never used. Cost: .06 CPU-s a process to load
llvmlite and all loops of the rules; 5 CPU-s the first time on a machine (measured).

A loop gets pointers: it must not ask for a length, cut a slice or make an array. It returns one
integer or nothing.
"""

import ctypes
import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from stages.curation.kernels.compiling import callback, machine_code
from stages.curation.kernels.types import UINT8S, Kind, Part
from stages.foundation.errors import InputError
from stages.foundation.files import whole_file

LOCK = RLock()


class Loop:
    """A function compiled when it is first called; the call lets other threads run."""

    def __init__(self, python: Callable) -> None:
        self.python, self.__doc__, self.__name__ = (
            python,
            python.__doc__,
            python.__name__,
        )
        self.kinds = [
            python.__annotations__[name]
            for name in python.__code__.co_varnames[: python.__code__.co_argcount]
        ]
        self.native: Callable | None = None

    def __call__(self, *args: Any) -> int:
        values = [
            _value(arg, kind, self.__name__)
            for arg, kind in zip(args, self.kinds, strict=True)
        ]
        if self.native is None:
            with LOCK:
                self.native = self._ready()
        result = ctypes.c_int64()
        if failed := self.native(ctypes.addressof(result), None, *values):
            raise RuntimeError(
                f"the compiled loop {self.__name__} failed with status {failed}"
            )
        return result.value

    def _ready(self) -> Callable:
        """Linked object code; where another numba or llvmlite no longer gives it, a function of
        numba's public interface, compiled each time.
        """
        try:
            return self._linked()
        except (AttributeError, TypeError, KeyError, RuntimeError) as error:
            warnings.warn(
                "compiled loops are not kept between processes with numba"
                f" {version('numba')}: {error}",
                stacklevel=4,
            )
            return _public(self)

    def _linked(self) -> Callable:
        symbol, code = stored(_key(self), lambda: _compile(self))
        engine = _engine()
        engine.add_object_file(_llvm().ObjectFileRef.from_data(code))
        engine.finalize_object()
        types = [
            ctypes.c_void_p if kind.array else ctypes.c_int64 for kind in self.kinds
        ]
        return ctypes.CFUNCTYPE(
            ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *types
        )(engine.get_function_address(symbol))


def _value(arg: Any, kind: Kind, name: str) -> int:
    if not kind.array:
        return int(arg)
    if (
        arg.dtype != kind.dtype and not (arg.dtype == np.bool_ and kind == UINT8S)
    ) or not arg.flags.c_contiguous:
        raise TypeError(
            f"the compiled loop {name} wants a contiguous array of {kind.dtype}, not of"
            f" {arg.dtype}"
        )
    return arg.ctypes.data


def _compile(loop: Loop) -> tuple[str, bytes]:
    return machine_code(loop.python, [(kind.dtype, kind.array) for kind in loop.kinds])


def _public(loop: Loop) -> Callable:
    return callback(loop.python, [(kind.dtype, kind.array) for kind in loop.kinds])


def stored(key: str, make: Callable[[], tuple[str, bytes]]) -> tuple[str, bytes]:
    """(symbol, object code) of a key from the first folder that holds it whole; made and written where none does."""
    for folder in _folders():
        try:
            digest, symbol, code = (folder / f"{key}.loop").read_bytes().split(b"\n", 2)
        except (OSError, ValueError):
            continue
        if digest.decode() == _digest(symbol + code):
            return symbol.decode(), code
    symbol, code = make()
    for folder in _folders():
        if _written(
            folder / f"{key}.loop",
            f"{_digest(symbol.encode() + code)}\n{symbol}\n".encode() + code,
        ):
            break
    return symbol, code


def _folders() -> Iterator[Path]:
    yield Path(__file__).parent / "__pycache__"
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(user):  # a container's nameless user has none
        yield Path(user) / "assay"


def _written(path: Path, content: bytes) -> bool:
    """Whole or not at all; a folder that cannot be written to costs the next process the compiling, nothing else."""
    try:
        with whole_file(path) as temporary:
            temporary.write_bytes(content)
    except (OSError, InputError):
        return False
    return True


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _key(loop: Loop) -> str:
    return f"{loop.__name__.strip('_')}-{_digest(repr((loop.kinds, _machine(), *_described(loop.python))).encode())}"


def _described(python: Callable) -> Iterator[Any]:
    """What the machine code depends on: the byte code, its constants, and those of everything that it names."""
    code = python.__code__
    yield code.co_code, code.co_consts, code.co_varnames, code.co_names
    for name in code.co_names:
        value = python.__globals__.get(name)
        if isinstance(value, Part):
            yield from _described(value.python)
        elif isinstance(value, np.ndarray):
            yield name, value.dtype.name, value.tobytes()
        elif isinstance(value, (int, float, tuple, np.integer)):
            yield name, type(value).__name__, str(value)


@cache
def _machine() -> tuple[str, ...]:
    llvm = _llvm()
    features = sorted(
        name for name, there in llvm.get_host_cpu_features().items() if there
    )
    return (
        version("numba"),
        version("llvmlite"),
        np.__version__,
        sys.version,
        llvm.get_default_triple(),
        llvm.get_host_cpu_name(),
        ",".join(features),
    )


@cache
def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@cache
def _engine() -> Any:
    """The linker of this process."""
    llvm = _llvm()
    machine = llvm.Target.from_default_triple().create_target_machine(
        jit=True, codemodel="jitdefault"
    )
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
