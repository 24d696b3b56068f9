"""What a run reads: one stream, or with a curriculum a second one in every decay; with exact counts
over both.

The decay stream starts at its own beginning in every branch. A document may be read in both:
distinct tokens are those of its longest reading, since a reading starts at the beginning of a
document.
"""

from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.proxy.tokens.order import Counts, Reading
from stages.proxy.tokens.view import View


@dataclass(frozen=True, eq=False)
class Course:
    """The streams of one run. Example: `Course(Stream(view, 1)).counts(512, 128)`."""

    trunk: Reading
    decay: Reading | None = None

    def __post_init__(self):
        if self.decay is None:
            return
        one, other = self.trunk.view, self.decay.view
        for view in (one, other):
            if view.stages is not None:
                raise InputError(
                    f"arm {view.arm!r} is read in {view.n_stages} stages and arm"
                    f" {one.arm!r} decays into {other.arm!r}; take one of both out"
                )
        if one.packed.tokens_sha256 != other.packed.tokens_sha256 or tuple(
            one.group_names
        ) != tuple(other.group_names):
            raise InputError(
                f"arm {one.arm!r} decays into {other.arm!r}, which is a view of another"
                " pack or other groups; build both from one pack"
            )

    @property
    def views(self) -> list[View]:
        return [stream.view for stream in (self.trunk, self.decay) if stream]

    def counts(self, n_trunk: int, n_decay: int) -> Counts:
        """After `n_trunk` tokens of the trunk and `n_decay` of a decay; without a curriculum the
        decay reads on in the trunk's stream.
        """
        if self.decay is None:
            return self.trunk.counts(n_trunk + n_decay)
        first, second = self.trunk.counts(n_trunk), self.decay.counts(n_decay)
        seen = np.add(first.seen_by_group, second.seen_by_group)
        reach, label, size = self._merged(n_trunk, self.decay, n_decay)
        unique = np.bincount(label, weights=reach, minlength=len(seen)).astype(np.int64)
        n = n_trunk + n_decay
        return Counts(
            n,
            n_tokens_unique=int(unique.sum()),
            epochs=n / int(size.sum()),
            seen_by_group=tuple(seen.tolist()),
            unique_by_group=tuple(unique.tolist()),
        )

    def _merged(
        self, n_trunk: int, decay: Reading, n_decay: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each document in either view: tokens read, group, and tokens; (documents,) each."""
        parts = (self.trunk, n_trunk), (decay, n_decay)
        n_documents = self.trunk.view.packed.n_documents
        reach, label, size = (np.zeros(n_documents, np.int64) for _ in range(3))
        for stream, n_tokens in parts:
            rows = stream.view.rows
            reach[rows] = np.maximum(reach[rows], stream.reach(n_tokens))
            label[rows], size[rows] = (
                stream.view.group_of_row,
                stream.view.n_tokens_each,
            )
        return reach, label, size
