"""A mixture of experts in place of the MLP of some layers or all: each token goes to its `top_k`
experts, all runs and experts in two batched products.

Every token reaches its experts (none is dropped), so a loss does not depend on which tokens share
its batch: the rows of an expert are padded to the longest. Cost: that padding (balance keeps it
small), one look at the counts from the host a layer, and gather and scatter, which at proxy width
cost more than the products; FLOPs are counted, not timed, for the laws. The router is trained
through the softmax of the chosen scores, and kept even by the loss of Fedus et al. 2022, Switch
Transformers, equations 4 to 6: BALANCE n_experts sum_e (share of tokens at e) (mean probability of
e).

Axes: R runs, N tokens of a run, K = top_k, E experts, D d_model, W expert width, C rows of the
fullest expert.
"""

import torch
import torch.nn.functional as F

from stages.proxy.specs.shape import Shape

BALANCE = 0.01  # cited: Fedus et al. 2022


def mix(
    x: torch.Tensor, weights: dict[str, torch.Tensor], layer: int, shape: Shape
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the experts add to x (R, B, T, D), and the balance loss of each run (R,)."""
    n_runs, d = len(x), shape.d_model
    tokens = x.reshape(n_runs, -1, d)  # (R, N, D)
    scores = torch.bmm(tokens, weights[f"{layer}.router"].transpose(1, 2))  # (R, N, E)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    best, chosen = scores.topk(shape.top_k, -1)  # (R, N, K)
    expert, place, fullest = _places(chosen, shape.n_experts)
    # (R N K, D)
    rows = tokens[:, :, None].expand(-1, -1, shape.top_k, -1).reshape(-1, d)
    # (R E, C, D): row `place` of expert `expert`; padding stays zero and gives zero
    packed = rows.new_zeros(n_runs * shape.n_experts * fullest, d).index_copy(
        0, expert * fullest + place, rows
    )
    packed = packed.view(-1, fullest, d)
    up = weights[f"{layer}.up"].reshape(-1, shape.expert_width, d)
    down = weights[f"{layer}.down"].reshape(-1, d, shape.expert_width)
    wide = F.relu(torch.bmm(packed, up.transpose(1, 2))).square()
    back = torch.bmm(wide, down.transpose(1, 2)).view(-1, d)[expert * fullest + place]
    share = best.softmax(-1).to(back.dtype)
    mixed = (back.view(n_runs, -1, shape.top_k, d) * share[..., None]).sum(2)
    return mixed.view(x.shape), _balance(scores, chosen, shape)


def _places(
    chosen: torch.Tensor, n_experts: int
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """For each choice (R N K,): its expert among the R E of all runs, its row there, and the rows of the fullest."""
    n_runs = len(chosen)
    offset = torch.arange(n_runs, device=chosen.device)[:, None] * n_experts
    expert = (chosen.flatten(1) + offset).flatten()
    order = expert.argsort(stable=True)
    counts = torch.bincount(expert, minlength=n_runs * n_experts)
    starts = counts.cumsum(0) - counts
    place = torch.empty_like(expert)
    place[order] = (
        torch.arange(len(expert), device=expert.device) - starts[expert[order]]
    )
    return expert, place, int(counts.max())


def _balance(scores: torch.Tensor, chosen: torch.Tensor, shape: Shape) -> torch.Tensor:
    """BALANCE E sum_e f_e p_e, which is BALANCE where all experts are used alike."""
    used = (
        F.one_hot(chosen, shape.n_experts).sum(2).to(scores.dtype).mean(1) / shape.top_k
    )  # (R, E)
    return BALANCE * shape.n_experts * (used * scores.softmax(-1).mean(1)).sum(-1)
