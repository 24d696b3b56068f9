"""A curriculum of several stages: parts of a view read one after the other, each over and over within its stretch.

A stretch is as long a part of the run as its documents are of a pass, so every document is used as often as
without stages. The run's length decides where each stage begins: it is the reading of one budget.
"""

import numpy as np

from stages.foundation.errors import InputError
from stages.proxy.tokens.order import Counts, Reading, Stream
from stages.proxy.tokens.view import View


def reading(view: View, seed: int, budgets_tokens: tuple[int, ...]) -> Reading:
    """The order in which a run reads a view. InputError where a view in stages has several budgets."""
    if view.stages is None:
        return Stream(view, seed)
    if len(budgets_tokens) > 1:
        raise InputError(
            f"arm {view.arm!r} is read in {view.n_stages} stages, which begin elsewhere"
            f" in each of the budgets {list(budgets_tokens)}; give each a run of its own"
        )
    return StagedStream(view, seed, budgets_tokens[0])


class StagedStream(Reading):
    """The stages of a view within a run of `n_tokens`; the last one reads on beyond them.

    Example: `StagedStream(view, seed=1, n_tokens=65_536).stage_ends` are (stages,) stream tokens.
    """

    def __init__(self, view: View, seed: int, n_tokens: int):
        self.view, self.seed, self.n_tokens = view, seed, n_tokens
        parts = [view.stage(number) for number in range(view.n_stages)]
        self.streams = [Stream(part, seed) for part in parts]
        shares = np.cumsum([part.n_tokens_per_pass for part in parts])
        self.stage_ends = np.rint(n_tokens * shares / shares[-1]).astype(np.int64)

    def again(self) -> "StagedStream":
        return StagedStream(self.view, self.seed, self.n_tokens)

    def places(self, first: int, n_tokens: int) -> np.ndarray:
        starts, stops = self._reached(first), self._reached(first + n_tokens)
        return np.concatenate(
            [
                stream.places(start, stop - start)
                for stream, start, stop in zip(self.streams, starts, stops, strict=True)
            ]
        )

    def counts(self, n_tokens_seen: int) -> Counts:
        parts = [
            stream.counts(n)
            for stream, n in zip(
                self.streams, self._reached(n_tokens_seen), strict=True
            )
        ]
        # no document is in two stages
        unique = np.sum([part.unique_by_group for part in parts], axis=0)
        seen = np.sum([part.seen_by_group for part in parts], axis=0)
        return Counts(
            n_tokens_seen,
            n_tokens_unique=int(unique.sum()),
            epochs=n_tokens_seen / self.view.n_tokens,
            seen_by_group=tuple(seen.tolist()),
            unique_by_group=tuple(unique.tolist()),
        )

    def counts_from(self, first: int, n_tokens: int) -> Counts:
        if first:
            raise InputError(
                f"arm {self.view.arm!r} is read in stages, so no run of it begins"
                f" {first} tokens in; leave its curriculum out"
            )
        return self.counts(n_tokens)

    def reach(self, n_tokens_seen: int) -> np.ndarray:
        found = np.zeros(len(self.view.rows), np.int64)
        reached = self._reached(n_tokens_seen)
        for number, (stream, n) in enumerate(zip(self.streams, reached, strict=True)):
            found[self.view.stages == number] = stream.reach(n)
        return found

    def _reached(self, position: int) -> list[int]:
        """Tokens of each stage that lie before a position of the stream (stages,)."""
        begins = np.concatenate([[0], self.stage_ends[:-1]])
        ends = np.append(self.stage_ends[:-1], max(position, self.n_tokens))
        return np.clip(position - begins, 0, ends - begins).tolist()
