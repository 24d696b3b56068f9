"""Which kernel of attention a sweep is told it will use; on a card, held to what torch answers."""

import pytest
import torch

from stages.proxy.card.attention import (
    CUDNN,
    EFFICIENT,
    FLASH,
    PLAIN,
    Call,
    attention_kernel,
    attention_lines,
    kernel_order,
)
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec

H200, A100, T4 = (9, 0), (8, 0), (7, 5)
NEW, OLD = 91900, 91500
USUAL = Call(64, 512, "bfloat16", False, H200, NEW)


@pytest.mark.parametrize(
    ("changed", "kernel", "why"),
    [
        ({}, CUDNN, "first in the order on SM 90"),
        ({"documents_apart": True}, CUDNN, "first in the order"),
        ({"cudnn": OLD}, FLASH, "first in the order"),
        ({"cudnn": None}, FLASH, "first in the order"),
        ({"capability": A100}, FLASH, "first in the order on SM 80"),
        ({"capability": A100, "documents_apart": True}, EFFICIENT, "takes no mask"),
        ({"n_sequences": 65_536}, FLASH, "65536 sequences are above 65535"),
        ({"n_sequences": 65_535}, CUDNN, "first"),
        ({"head_width": 20}, FLASH, "heads of 20 are no multiple of 8"),
        ({"head_width": 20, "documents_apart": True}, PLAIN, "no multiple of 8"),
        ({"head_width": 136}, FLASH, "heads of 136 are above 128"),
        ({"head_width": 264}, EFFICIENT, "heads of 264 are above 256"),
        ({"dtype": "float32"}, EFFICIENT, "it is for 16 bits"),
        ({"dtype": "float32", "head_width": 20}, EFFICIENT, "it is for 16 bits"),
        ({"dtype": "float32", "head_width": 10}, PLAIN, "no multiple of 4"),
        ({"capability": T4}, PLAIN, "bfloat16 needs SM 80"),
        ({"capability": T4, "dtype": "float32"}, EFFICIENT, "it is for 16 bits"),
    ],
)
def test_the_first_kernel_that_takes_the_shape_is_named_and_why_none_before_it(
    changed, kernel, why
):
    found, reason = attention_kernel(USUAL._replace(**changed))
    assert found == kernel and why in reason


def test_a_line_a_kernel_says_for_which_heads_it_is():
    narrow = RunSpec(arm="a", shape=Shape(64, 2, 1, 32, 64), budgets_tokens=(4096,))
    apart = RunSpec(
        arm="a",
        shape=Shape(64, 2, 2, 32, 64),
        budgets_tokens=(4096,),
        documents_apart=True,
    )
    said = {"dtype": "bfloat16", "capability": A100, "cudnn": NEW}
    flash, efficient = attention_lines([[narrow, narrow], [narrow], [apart]], **said)
    assert flash == (
        "attention by FlashAttention 2 (first in the order on SM 80) for heads of 64 in"
        " bfloat16: torch chooses"
    )
    assert efficient.startswith("attention by the memory-efficient one (not Flash")
    assert "for heads of 32 in bfloat16, documents apart: torch chooses" in efficient


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("documents_apart", [False, True])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("head_width", [10, 32, 64, 20, 128])
def test_torch_answers_the_same_on_this_card(head_width, dtype, documents_apart):
    own = Call(
        head_width,
        n_sequences=4,
        dtype=dtype,
        documents_apart=documents_apart,
        capability=torch.cuda.get_device_capability(),
        cudnn=torch.backends.cudnn.version(),
    )
    heads = torch.zeros(
        4, 2, 64, head_width, device="cuda", dtype=getattr(torch, dtype)
    )
    heads.requires_grad_()
    mask = torch.ones(4, 1, 64, 64, device="cuda", dtype=torch.bool).tril()
    chosen = torch._fused_sdp_choice(
        heads,
        heads,
        heads,
        attn_mask=mask if documents_apart else None,
        is_causal=not documents_apart,
    )
    known = {
        0: PLAIN,
        1: FLASH,
        2: EFFICIENT,
        3: CUDNN,
    }  # torch.nn.attention.SDPBackend
    assert attention_kernel(own)[0] == known[chosen]


def test_the_order_ends_with_what_takes_every_shape():
    for capability in (T4, A100, (8, 9), H200, (10, 0), (12, 0)):
        assert kernel_order(capability, NEW)[-1] == PLAIN
    assert kernel_order((12, 0), NEW) == kernel_order(A100, NEW)
