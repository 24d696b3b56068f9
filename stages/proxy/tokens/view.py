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
    `stages` (rows,): the part of a run in which each document is read, 0 first; None reads all in one.

    Example: `View(pool, rows=np.arange(100), arm="first_hundred")`.
    """

    packed: Packed
    rows: np.ndarray
    weights: np.ndarray | None = None
    arm: str = "all"
    groups: np.ndarray | None = None
    group_names: Sequence[str] = field(default_factory=tuple)
    stages: np.ndarray | None = None

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
        if self.stages is not None:
            stages = np.asarray(self.stages, dtype=np.int64).ravel()
            _check_stages(self.arm, stages, used=used)
            object.__setattr__(self, "stages", stages[used])

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

    @property
    def n_stages(self) -> int:
        return 1 if self.stages is None else int(self.stages.max()) + 1

    def stage(self, number: int) -> "View":
        """The documents of one stage. Example: `view.stage(0)`."""
        if self.stages is None:
            return self
        return self.part(np.flatnonzero(self.stages == number), staged=False)

    def part(self, kept: np.ndarray, staged: bool = True) -> "View":
        """The view of documents at some positions, with their weights and groups. kept: (documents,) of the view's."""
        assert self.weights is not None  # a view has them once it is made
        return View(
            self.packed,
            self.rows[kept],
            self.weights[kept],
            arm=self.arm,
            groups=self.groups,
            group_names=self.group_names,
            stages=self.stages[kept] if staged and self.stages is not None else None,
        )

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
        if self.stages is not None:
            digest.update(self.stages.data)
        return digest.hexdigest()

    def require(self, batch_tokens: int) -> None:
        """Refuse a view that cannot fill one batch: such a run would be nothing but repetition inside a step."""
        for number in range(self.n_stages):
            part = self.stage(number)
            smallest = min(part.n_tokens, part.n_tokens_per_pass)
            if smallest >= batch_tokens:
                continue
            what, cure = "", "lower batch_tokens"
            if self.stages is not None:
                what = f", in stage {number + 1} of {self.n_stages},"
                cure = "ask for fewer stages"
            raise InputError(
                f"arm {self.arm!r}{what} has {smallest:.0f} tokens a pass, fewer than"
                f" one batch of {batch_tokens}; keep more documents in the arm or {cure}"
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


def _check_stages(arm: str, stages: np.ndarray, used: np.ndarray) -> None:
    if len(stages) != len(used):
        raise InputError(
            f"arm {arm!r} has {len(stages)} stages for {len(used)} documents; give one"
            " stage a document"
        )
    n_stages = int(stages.max()) + 1
    if stages.min() < 0:
        raise InputError(f"arm {arm!r} has a stage {stages.min()}; stages count from 0")
    empty = np.flatnonzero(np.bincount(stages[used], minlength=n_stages) == 0)
    if len(empty):
        raise InputError(
            f"arm {arm!r} has no document in stage {empty[0] + 1} of {n_stages}; ask for"
            " fewer stages, or keep more documents"
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
