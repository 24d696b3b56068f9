"""Which kernel a card computes attention with, and why: torch chooses at every call, and this says what it will take.

Read in torch's source (aten/src/ATen/native/transformers/cuda/sdp_utils.cpp, pytorch 001f694 of 2026): kernels are
tried in an order, and the first that can be used is. The order is FlashAttention 2, memory-efficient, plain; cuDNN's
comes before them on SM 9.x and 10.x with a cuDNN above 9.15.0, and is not reached elsewhere. Nothing is forced here, as
nothing was timed: cuDNN's was seen in a profile of one H200 with torch 2.11, the others were not. Fails where another
torch has another order, or a setting of the process forbids a kernel; a test for a card holds it to torch's answer.
"""

from collections.abc import Iterable
from typing import NamedTuple

from stages.proxy.specs.spec import RunSpec

CUDNN, FLASH, EFFICIENT, PLAIN = (
    "cuDNN's",
    "FlashAttention 2",
    "the memory-efficient one",
    "the plain one, which stores its scores",
)
FIRST_CUDNN = (
    91500  # cited, as above: torch prefers later ones, as cudnn.version() writes them
)
MOST_SEQUENCES = 65_535  # cited, as above
CUDNN_WIDTH, FLASH_WIDTH = (
    128,
    256,
)  # cited, as above: of a head; the newest cuDNN takes 256
EIGHT, FOUR = (
    8,
    4,
)  # cited, as above: what widths are multiples of, in 16 and in 32 bits
AMPERE = (8, 0)  # cited, as above: the first for 16-bit kernels of bfloat16


class Call(NamedTuple):
    """What a choice depends on; capability and cudnn of the card and its libraries."""

    head_width: int
    n_sequences: int  # of all stacked runs
    dtype: str  # bfloat16 or float32, of the products
    documents_apart: bool  # a mask in place of causality
    capability: tuple[int, int]
    cudnn: int | None  # as torch.backends.cudnn.version()


def attention_kernel(call: Call) -> tuple[str, str]:
    """The kernel, and why none before it in torch's order.

    >>> attention_kernel(Call(64, 512, "bfloat16", False, (8, 0), 91900))
    ('FlashAttention 2', 'first in the order on SM 80')
    """
    order = kernel_order(call.capability, call.cudnn)
    refused = []
    for kernel in order:
        why_not = _refusal(kernel, call)
        if not why_not:
            break
        refused.append(f"not {kernel}: {why_not}")
    sm = f"SM {call.capability[0]}{call.capability[1]}"
    return kernel, "; ".join(refused) or f"first in the order on {sm}"


def kernel_order(capability: tuple[int, int], cudnn: int | None) -> tuple[str, ...]:
    """In which torch tries kernels on such a card; the last can always be used."""
    usual = (FLASH, EFFICIENT, PLAIN)
    preferred = capability[0] in (9, 10) and cudnn is not None and cudnn > FIRST_CUDNN
    return (CUDNN, *usual) if preferred else usual


def _refusal(kernel: str, call: Call) -> str:
    """Why torch does not take this kernel; empty where it does."""
    half = call.dtype != "float32"
    if kernel == PLAIN:
        return ""
    if half and call.capability < AMPERE:
        return f"{call.dtype} needs SM 80"
    if kernel == EFFICIENT:
        multiple = EIGHT if half else FOUR
        odd = call.head_width % multiple
        return (
            f"heads of {call.head_width} are no multiple of {multiple}" if odd else ""
        )
    if not half:
        return "it is for 16 bits"
    if kernel == CUDNN:
        return _cudnn_refusal(call)
    if call.documents_apart:
        return "it takes no mask, which keeps documents apart"
    wide = call.head_width > FLASH_WIDTH
    return f"heads of {call.head_width} are above {FLASH_WIDTH}" if wide else ""


def _cudnn_refusal(call: Call) -> str:
    if call.head_width % EIGHT:
        return f"heads of {call.head_width} are no multiple of {EIGHT}"
    if call.head_width > CUDNN_WIDTH:
        return f"heads of {call.head_width} are above {CUDNN_WIDTH}"
    if call.n_sequences > MOST_SEQUENCES:
        return f"{call.n_sequences} sequences are above {MOST_SEQUENCES}"
    return ""


def attention_lines(
    groups: Iterable[list[RunSpec]],
    *,
    dtype: str,
    capability: tuple[int, int],
    cudnn: int | None,
) -> list[str]:
    """One line a kernel that these groups of runs will use, with the shapes that it is for and the reason.

    dtype: of the products on the card, where a run asks for none.
    """
    shapes: dict[tuple[str, str], set[str]] = {}
    for group in groups:
        spec = group[0]
        call = Call(
            spec.shape.head_width,
            n_sequences=len(group) * spec.batch_tokens // spec.context,
            dtype=dtype if spec.dtype == "auto" else spec.dtype,
            documents_apart=spec.documents_apart,
            capability=capability,
            cudnn=cudnn,
        )
        apart = ", documents apart" if spec.documents_apart else ""
        heads = f"heads of {call.head_width} in {call.dtype}{apart}"
        shapes.setdefault(attention_kernel(call), set()).add(heads)
    return [
        f"attention by {kernel} ({why}) for {'; '.join(sorted(heads))}: torch chooses"
        for (kernel, why), heads in sorted(shapes.items())
    ]
