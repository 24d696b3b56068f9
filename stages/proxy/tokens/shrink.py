"""Simulated epoching: a view cut to so many distinct tokens that a small run repeats them as often
as the target run will.

A target of D tokens over a pool of U repeats it D / U times; a proxy of d tokens does so on U d / D
distinct tokens. The cut takes whole documents in an order fixed by seed and row, so a smaller cut
is inside a larger one and arms keep what they share.
"""

import numpy as np

from stages.foundation.errors import InputError
from stages.proxy.tokens.order import stable_hash
from stages.proxy.tokens.view import View

CUT = 3  # a hash family of its own beside those of order.py


def shrunk(view: View, n_tokens: int, seed: int) -> View:
    """The view with as near to `n_tokens` distinct tokens as whole documents allow; weights and groups stay.

    Example: `shrunk(view, 40_000, seed=0).n_tokens`. InputError where the view has fewer.
    """
    if n_tokens > view.n_tokens:
        raise InputError(
            f"arm {view.arm!r} has {view.n_tokens} distinct tokens, {n_tokens} are"
            " asked for; lower the budget or the epochs that are simulated, or add"
            " documents"
        )
    order = np.argsort(stable_hash(seed, CUT, index=0, rows=view.rows), kind="stable")
    totals = np.cumsum(view.n_tokens_each[order])
    n_documents = int(np.abs(totals - n_tokens).argmin()) + 1
    kept = np.sort(order[:n_documents])
    return view.part(kept)


def simulated_unique_tokens(
    n_tokens: int, *, target_tokens: float, target_unique_tokens: float
) -> int:
    """Distinct tokens on which a run of `n_tokens` repeats as often as the target. Example: 100k
    tokens for 1T over 250B: 25k.
    """
    return max(1, round(n_tokens * target_unique_tokens / target_tokens))
