"""An arm of an experiment as a view: which documents of a pool, and how often each is used per pass.

Nothing is copied: fifty arms over one pool cost fifty lists of row numbers. A view says what; `order.py` says
in which order the tokens arrive and counts them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from stages.foundation.errors import InputError
from stages.proxy.tokens.packed import Packed


@dataclass(frozen=True, eq=False)
class View:
    """Documents `rows` of `packed`, each used `weights` times per pass on average.

    `weights`: 1.0 uses a document once a pass, 2.5 uses it twice and in half of the passes a third time (a coin
    fixed by seed, pass and row). None means 1.0 for all; documents of weight 0 are dropped.
    `groups` (documents of the pack,): integer label of every document of the pack, named by `group_names`
    (the pools or domains whose shares are reported).

    Example: `View(pool, rows=np.arange(100), arm="first_hundred")`.
    """

    packed: Packed
    rows: np.ndarray
    weights: np.ndarray | None = None
    arm: str = "all"
    groups: np.ndarray | None = None
    group_names: Sequence[str] = field(default_factory=tuple)

    def __post_init__(self):
        rows = np.asarray(self.rows, dtype=np.int64).ravel()
        weights = (
            np.ones(len(rows))
            if self.weights is None
            else np.asarray(self.weights, dtype=np.float64).ravel()
        )
        _check_rows(
            self.arm, rows, weights=weights, n_documents=self.packed.n_documents
        )
        _check_groups(
            self.arm,
            self.groups,
            names=self.group_names,
            n_documents=self.packed.n_documents,
        )
        used = weights > 0
        object.__setattr__(self, "rows", rows[used])
        object.__setattr__(self, "weights", weights[used])

    @cached_property
    def n_tokens_each(self) -> np.ndarray:
        """Tokens of each document of the view, EOS included (rows,)."""
        return self.packed.n_tokens_each[self.rows].astype(np.int64)

    @property
    def n_tokens(self) -> int:
        """Distinct tokens of the view: the most that n_tokens_unique can reach; one epoch is this many tokens."""
        return int(self.n_tokens_each.sum())

    @property
    def n_tokens_per_pass(self) -> float:
        """Mean tokens of a pass, which differs from `n_tokens` where weights differ from 1."""
        return float(self.weights @ self.n_tokens_each)

    @cached_property
    def group_of_row(self) -> np.ndarray:
        """Group label of each document of the view (rows,); all 0 without groups."""
        return (
            np.zeros(len(self.rows), np.int64)
            if self.groups is None
            else np.asarray(self.groups)[self.rows].astype(np.int64)
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that decides the tokens of a run apart from its seed."""
        digest = hashlib.sha256(self.packed.tokens_sha256.encode())
        for array in (self.rows, self.weights, self.n_tokens_each):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def require(self, batch_tokens: int) -> None:
        """Refuse a view that cannot fill one batch: such a run would be nothing but repetition inside a step."""
        smallest = min(self.n_tokens, self.n_tokens_per_pass)
        if smallest < batch_tokens:
            raise InputError(
                f"arm {self.arm!r} has {smallest:.0f} tokens a pass, fewer than one"
                f" batch of {batch_tokens}; keep more documents in the arm or lower"
                " batch_tokens"
            )


def _check_rows(
    arm: str, rows: np.ndarray, weights: np.ndarray, n_documents: int
) -> None:
    if not len(rows):
        raise InputError(f"arm {arm!r} has no documents; loosen its selection")
    if rows.min() < 0 or rows.max() >= n_documents:
        raise InputError(
            f"arm {arm!r} names document rows {rows.min()} to {rows.max()}, the pack"
            f" has {n_documents}; build the arm from this pack"
        )
    if len(np.unique(rows)) != len(rows):
        n_twice = len(rows) - len(np.unique(rows))
        raise InputError(
            f"arm {arm!r} names {n_twice} document rows twice; repeat a document"
            " through its weight"
        )
    if len(weights) != len(rows):
        raise InputError(
            f"arm {arm!r} has {len(weights)} weights for {len(rows)} documents; give"
            " one weight a document"
        )
    if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.max() > 0):
        raise InputError(
            f"arm {arm!r} has weights from {weights.min()} to {weights.max()}; "
            "give finite weights of at least 0, one above 0"
        )


def _check_groups(
    arm: str, groups: np.ndarray | None, names: Sequence[str], n_documents: int
) -> None:
    if groups is None:
        return
    groups = np.asarray(groups)
    if len(groups) != n_documents:
        raise InputError(
            f"arm {arm!r} has {len(groups)} group labels, the pack has {n_documents}"
            " documents; label every document of the pack"
        )
    if groups.min() < 0 or groups.max() >= len(names):
        raise InputError(
            f"arm {arm!r} has group labels {groups.min()} to {groups.max()} and"
            f" {len(names)} group names; name every label"
        )
