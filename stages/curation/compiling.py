"""Compiles a loop with numba: a Python function and the C types of its arguments to machine code of this processor.

Input: the function; what it calls are `Part`s. Output: the name of its entry and an object file without any outside name: no
reference counting, no wrapper for Python, no exception. Cost: importing numba and its first compile .8 CPU-s, then .15 to .6 a loop, 2 for the tokeniser (measured).
"""

import types
from collections.abc import Callable

from stages.curation.compiled import Part


def machine_code(python: Callable, kinds: list[tuple[str, bool]]) -> tuple[str, bytes]:
    """(symbol, object code). The entry takes a place for the result and one for an exception, then the arguments."""
    import numba

    signature = tuple(numba.types.CPointer(getattr(numba.types, dtype)) if array else getattr(numba.types, dtype) for dtype, array in kinds)
    options = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
    compiled = numba.njit(**options)(_with_parts(python, numba.njit(_nrt=False, error_model="numpy")))
    compiled.compile(signature)
    result = compiled.overloads[signature]
    _, _, (code, _) = result.library.serialize_using_object_code()
    return result.fndesc.llvm_func_name, code


def _with_parts(python: Callable, jit: Callable) -> Callable:
    """The function with its parts, and theirs, ready for numba."""
    known = {
        name: jit(_with_parts(part.python, jit)) for name, part in python.__globals__.items() if isinstance(part, Part) and name in python.__code__.co_names
    }
    return types.FunctionType(python.__code__, {**python.__globals__, **known}, python.__name__)
