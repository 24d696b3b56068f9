"""What a run costs, as its table says: FLOPs for each parameter and token, 6 where it says nothing.

flops / (n_params * n_tokens_seen) is 6 by the rule of Kaplan et al. 2020, and another number where
attention, embeddings, recomputation or several epochs of a teacher are counted too. It may move with
model size, and then it is read off the sizes of the table: a line in logs between two of them, the
nearest one's outside. A table that knows neither FLOPs nor sizes has budgets in tokens.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stages.laws.interface.table import Rows, n_rows, note, number_column

PER_PARAM_TOKEN = 6.0  # cited: Kaplan et al. 2020, forward 2 and backward 4
SAME = 0.02  # assumed: ratios that differ by less are rounding
CLOSE = 0.01  # assumed: a factor this close to 6 is 6 to its readers
FAR_OFF = 100.0  # ours: nothing that a run computes beside 6 N D makes it cost so many times more or less
FEWEST = 1000.0  # ours: the largest run of a table has more parameters and tokens, counted one by one
READ = ("flops", "n_params", "n_tokens_seen")
Unit = Literal["FLOPs", "tokens"]


@dataclass(frozen=True)
class Cost:
    """factors (sizes,): FLOPs for each parameter and token at `sizes` (sizes,), growing.

    spread: how far a run's own ratio lies from that, at most, as a share. unit: what budgets count.

    >>> float(Cost().tokens(6e20, 1e9))
    100000000000.0
    """

    sizes: tuple[float, ...] = (1.0,)
    factors: tuple[float, ...] = (PER_PARAM_TOKEN,)
    spread: float = 0.0
    unit: Unit = "FLOPs"

    @classmethod
    def of(cls, rows: Rows) -> "Cost":
        """The cost that the columns flops, n_params and n_tokens_seen of a runs table tell."""
        if "n_tokens_seen" in rows and not {"flops", "n_params"} & set(rows):
            return cls(unit="tokens")
        if not set(READ) <= set(rows):
            return cls()
        n = n_rows({name: rows[name] for name in READ})
        flops, n_params, n_tokens = (number_column(rows, name, n) for name in READ)
        ratio = flops / n_params / n_tokens
        if np.ptp(np.log(ratio)) <= np.log1p(SAME):
            sizes, factors = [1.0], [float(np.exp(np.log(ratio).mean()))]
        else:
            sizes = np.unique(n_params).tolist()
            factors = [float(np.median(ratio[n_params == size])) for size in sizes]
        found = cls(sizes=tuple(sizes), factors=tuple(factors))
        off = np.abs(ratio / found.factor(n_params) - 1)
        return cls(found.sizes, factors=found.factors, spread=float(off.max()))

    def factor(self, n_params) -> np.ndarray:
        """FLOPs for each parameter and token of models of these sizes; shaped as n_params."""
        log_size, known = np.log(np.asarray(n_params, float)), np.log(self.sizes)
        return np.exp(np.interp(log_size, known, np.log(self.factors)))

    def flops(self, n_params, n_tokens) -> np.ndarray:
        """Budget of a run of so many tokens, in `unit`."""
        if self.unit == "tokens":
            return np.asarray(n_tokens, float)
        return self.factor(n_params) * np.asarray(n_params) * np.asarray(n_tokens)

    def tokens(self, budget, n_params) -> np.ndarray:
        """Tokens that a budget pays for at these sizes; inverse of `flops`."""
        if self.unit == "tokens":
            return np.asarray(budget, float)
        return np.asarray(budget) / self.factor(n_params) / np.asarray(n_params)

    def notes(self) -> list[dict[str, str]]:
        """Coded notes where budgets are not 6 n_params n_tokens_seen."""
        if self.unit == "tokens":
            return [
                note(
                    "budget_in_tokens",
                    "info",
                    "the table knows neither FLOPs nor model sizes: budgets count"
                    " n_tokens_seen (tokens, or examples where the table has those)",
                )
            ]
        low, high = min(self.factors), max(self.factors)
        if high > FAR_OFF * PER_PARAM_TOKEN or low < PER_PARAM_TOKEN / FAR_OFF:
            return [
                note(
                    "units",
                    "warning",
                    f"the table's FLOPs are {low:.3g} n_params n_tokens_seen and not near"
                    " 6: a column seems to count millions, billions or PFLOPs; what is"
                    " said of FLOPs, parameters and tokens is in the table's own units,"
                    " and rules that need them one by one (batch, learning rate) are off",
                )
            ]
        if max(high / PER_PARAM_TOKEN, PER_PARAM_TOKEN / low) - 1 <= CLOSE:
            return []
        if high == low:
            said = f"the table's FLOPs are {low:.4g} n_params n_tokens_seen"
            how = f"budgets and the tokens that they pay for use {low:.4g}, not 6"
            return [note("own_flops", "info", f"{said}: {how}")]
        said = (
            f"the table's FLOPs are {low:.4g} to {high:.4g} n_params n_tokens_seen,"
            " by model size: interpolated in log n_params, held at the nearest"
            " measured size outside"
        )
        if self.spread > SAME:
            said += f"; runs of one size differ by up to {self.spread:.0%}"
        return [note("own_flops", "warning", said)]


def units_notes(rows: Rows) -> list[dict[str, str]]:
    """A coded warning where sizes or tokens are so few that they must be counted in millions or more.

    >>> [said] = units_notes({"n_params": [70.0, 7000.0], "n_tokens_seen": [1.4, 140.0]})
    >>> said["message"].split(":")[0]
    'n_tokens_seen is at most 140'
    """
    few = [
        f"{name} is at most {max(rows[name]):.4g}"
        for name in ("n_params", "n_tokens_seen")
        if name in rows and len(rows[name]) and max(rows[name]) < FEWEST
    ]
    if not few:
        return []
    return [
        note(
            "units",
            "warning",
            f"{' and '.join(few)}: these are counted one by one; if the column counts"
            " millions or billions, budgets of 6 n_params n_tokens_seen and what is said"
            " of parameters, tokens, batch and learning rate are in its units: multiply it",
        )
    ]


SIX = Cost()
