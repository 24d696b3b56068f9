"""Compiles a loop with numba: a Python function and the C types of its arguments to machine code of
this processor.

Input: the function; what it calls are `Part`s. Output: the name of its entry and an object file
without any outside name: no reference counting, no wrapper for Python, no exception. Cost:
importing numba and its first compile .8 CPU-s, then .15 to .6 a loop, 2 for the tokeniser
(measured).
"""

import ctypes
import types
from collections.abc import Callable

from stages.curation.kernels.types import Part


def machine_code(python: Callable, kinds: list[tuple[str, bool]]) -> tuple[str, bytes]:
    """(symbol, object code). The entry takes a place for the result and one for an exception, then the arguments."""
    import numba

    signature = _signature(kinds)
    options = {
        "_nrt": False,
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
        "error_model": "numpy",
    }
    compiled = numba.njit(**options)(
        _with_parts(python, numba.njit(_nrt=False, error_model="numpy"))
    )
    compiled.compile(signature)
    parts = compiled.overloads[signature]._asdict()
    _, _, (code, _) = parts["library"].serialize_using_object_code()
    return parts["fndesc"].llvm_func_name, code


def callback(python: Callable, kinds: list[tuple[str, bool]]) -> Callable:
    """The same loop by `numba.cfunc`, called as the entry above is; for a numba whose inner interface has changed."""
    import numba

    whole = _with_parts(python, numba.njit(error_model="numpy"))
    try:
        compiled = numba.cfunc(numba.int64(*_signature(kinds)), error_model="numpy")(
            whole
        )
    except numba.TypingError:  # it returns nothing
        compiled = numba.cfunc(numba.void(*_signature(kinds)), error_model="numpy")(
            whole
        )
    entry = ctypes.CFUNCTYPE(
        ctypes.c_int64,
        *(ctypes.c_void_p if array else ctypes.c_int64 for _, array in kinds),
    )(compiled.address)

    def native(result: int, _exception: None, *values: int) -> int:
        ctypes.c_int64.from_address(result).value = entry(*values)
        return 0

    native.owner = compiled  # or its code is freed
    return native


def _signature(kinds: list[tuple[str, bool]]) -> tuple:
    import numba

    return tuple(
        (
            numba.types.CPointer(getattr(numba.types, dtype))
            if array
            else getattr(numba.types, dtype)
        )
        for dtype, array in kinds
    )


def _with_parts(python: Callable, jit: Callable) -> Callable:
    """The function with its parts, and theirs, ready for numba."""
    known = {
        name: jit(_with_parts(part.python, jit))
        for name, part in python.__globals__.items()
        if isinstance(part, Part) and name in python.__code__.co_names
    }
    return types.FunctionType(
        python.__code__, {**python.__globals__, **known}, python.__name__
    )
