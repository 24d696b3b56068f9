"""The check of a fit: what its laws say of the largest budgets, which they have not seen."""

from collections.abc import Callable

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from stages.decision.record import Heldout
from stages.fits.section import FitParams
from stages.laws.choosing.averaged import mixture
from stages.laws.choosing.bootstrap import LEVEL
from stages.laws.choosing.choose import Choice
from stages.laws.choosing.cuts import largest_rungs


@threadpool_limits.wrap(limits=1)
def heldout_check(
    choose: Callable[[dict[str, np.ndarray]], Choice],
    rows: dict[str, np.ndarray],
    params: FitParams,
) -> Heldout:
    """The laws weighed below the largest compute, against what was measured there; means over draws by cell."""
    held = largest_rungs(rows["flops"], params.held_out_rungs)
    below, above = (
        {key: column[mask] for key, column in rows.items()} for mask in (~held, held)
    )
    boot = mixture(
        choose(below),
        below,
        clusters="pool_draw",
        n_draws=params.draws,
        seed=params.seed,
    )
    low, high = boot.interval(above, level=LEVEL, new_run=True)
    table = pl.DataFrame(
        {
            **{
                key: above[key] for key in ("arm", "n_params", "n_tokens_seen", "flops")
            },
            "measured": above["value"],
            "predicted": boot.central(above),
            "low": low,
            "high": high,
        }
    )
    cells = table.group_by(
        "arm", "n_params", "n_tokens_seen", "flops", maintain_order=True
    ).agg(pl.all().mean())
    error = table["predicted"] - table["measured"]
    inside = (table["low"] <= table["measured"]) & (table["measured"] <= table["high"])
    return Heldout(
        n=len(table),
        from_flops=float(above["flops"].min()),
        mape=float((error / table["measured"]).abs().mean()),
        rmse=float((error**2).mean() ** 0.5),
        bias=float(error.mean()),
        coverage=float(inside.mean()),
        rows=cells.to_dicts(),
    )
