"""What comes of a group of runs: news, results, or a failure told apart by what can be done about it. No torch here."""

from dataclasses import dataclass, field

from stages.proxy.specs.spec import RunResult, RunSpec

NO_MEMORY = (
    "can't allocate memory",
    "out of memory",
    "not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)  # cited: torch's own texts


@dataclass(frozen=True)
class News:
    """How far the group in training is, and its mean training loss."""

    fraction: float
    loss_nats: float


@dataclass(frozen=True)
class Outcome:
    """Results of a group, or one line and the traceback. Whoever owns the sweep reports it, so
    nothing is swallowed here.
    """

    results: list[RunResult] = field(default_factory=list)
    message: str = ""
    detail: str = ""
    out_of_memory: bool = False


@dataclass(frozen=True)
class Failure:
    """A group that gave no result, with one line for a person; `detail` is the traceback, if there was one."""

    specs: tuple[RunSpec, ...]
    message: str
    detail: str = ""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether fewer runs at once could cure it. torch raises a plain RuntimeError where the CPU has no memory left."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(
        text in str(error) for text in NO_MEMORY
    )


def first_line(error: BaseException) -> str:
    """The kind of an error and the first line of its message; our own errors speak for themselves."""
    line = (str(error).splitlines() or [""])[0]
    return (
        line
        if type(error).__name__ in ("InputError", "RefusedError")
        else f"{type(error).__name__}: {line}"
    )


def named(group: tuple[RunSpec, ...] | list[RunSpec]) -> str:
    """The runs of a group for a message. Example: `run of arm 'all' seed 1 (d_model 16)`."""
    runs = ", ".join(f"{spec.arm!r} seed {spec.seed}" for spec in group[:3])
    more = f" and {len(group) - 3} more" if len(group) > 3 else ""
    return f"run of arm {runs}{more} (d_model {group[0].shape.d_model})"


def halves(group: list[RunSpec]) -> list[list[RunSpec]]:
    """A group cut in two, the first half the larger. Example: 5 runs become 3 and 2."""
    middle = -(-len(group) // 2)
    return [group[:middle], group[middle:]]
