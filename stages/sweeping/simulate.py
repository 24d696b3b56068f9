"""Simulated epoching: how small a part of a resampled pool makes a proxy repeat every arm as often
as the target run will.

A target of D tokens that passes P times over its whole pool has a pool of D / P tokens; a proxy of
d tokens needs one of d / P. Every arm is cut by the same factor, so an arm that keeps a tenth of
the pool repeats ten times as often, as it will at the target.
"""

from collections.abc import Mapping

import numpy as np

from stages.foundation.errors import ParamsError
from stages.proxy.tokens.order import stable_hash
from stages.proxy.tokens.shrink import CUT
from stages.proxy.tokens.view import View


def drawn_tokens(views: Mapping[str, View], draw: int) -> float:
    """Tokens of the pool of a draw: of every document that one of its arms holds. views: by "arm/draw"."""
    of_draw = [
        view for name, view in views.items() if name.rsplit("/", 1)[1] == str(draw)
    ]
    rows = np.unique(np.concatenate([view.rows for view in of_draw]))
    return float(of_draw[0].packed.n_tokens_each[rows].sum())


def pool_share(
    views: Mapping[str, View],
    draw: int,
    n_tokens: int,
    pool_passes: float,
    *,
    clipped: bool = False,
    least_tokens: int = 1,
) -> float:
    """Part of the draw's pool for a run of `n_tokens`. ParamsError where that is more than the whole.

    views: by "arm/draw"; the pool of a draw is every document that one of its arms holds. clipped: the whole pool
    where more is asked for, and a part that leaves each arm, and each stage of one in stages, at least `least_tokens`,
    in place of the error.
    """
    share = n_tokens / pool_passes / drawn_tokens(views, draw)
    if clipped:
        least = max(
            least_part(view, least_tokens, draw)
            for name, view in views.items()
            if name.rsplit("/", 1)[1] == str(draw)
        )
        return min(1.0, max(share, least))
    if share > 1:
        raise ParamsError(
            f"sweep.pool_passes {pool_passes:g} at {n_tokens} tokens needs"
            f" {share:.2f} times the pool of a draw; raise arms.draw_tokens to"
            f" {n_tokens / pool_passes:,.0f} or lower the budget"
        )
    return share


def least_part(view: View, least_tokens: int, seed: int) -> float:
    """The smallest part of a view that `shrunk` cuts to documents of which each stage has so many tokens, and so many a
    pass; infinite where the whole has not.

    Documents come in the order of a hash, so a stage may get less than its share of a cut; as many are taken as come
    nearest to the tokens asked for.
    """
    order = np.argsort(stable_hash(seed, CUT, index=0, rows=view.rows), kind="stable")
    size = view.n_tokens_each[order]
    assert view.weights is not None  # a view has them once it is made
    a_pass = size * view.weights[order]
    stages = np.zeros(len(order), int) if view.stages is None else view.stages[order]
    needed = 0
    for stage in range(view.n_stages):
        own = stages == stage
        for counted in (size, a_pass):
            reached = np.cumsum(np.where(own, counted, 0)) >= least_tokens
            if not reached[-1]:
                return np.inf
            needed = max(needed, int(reached.argmax()) + 1)
    fewer, enough = size[: needed - 1].sum(), size[:needed].sum()
    nearest = (fewer + enough) // 2 + 1 if needed > 1 else 1
    return float(nearest / view.n_tokens)
