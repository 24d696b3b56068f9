"""The tokens of a view in training order, with exact counts of what has been seen.

The stream is an endless sequence of passes over the view; every pass is a fresh permutation of the documents.
A batch is the next stretch of the stream cut into rows of `context` tokens; the target of a token is the token
after it and the very first input is EOS, so each of the first S stream tokens is predicted exactly once in the
first S tokens of training. Documents run on across rows: attention sees the end of the document before.

Position is the whole state: any batch can be made from (seed, step) alone, so runs resume and branches replay.
Coins and permutations are hashes of (seed, pass, row): two arms that share documents meet them in the same
relative order, which pairs their noise.

Example: `stream = Stream(view, seed=1); x, y = stream.batch(0, batch_tokens=512, context=128); stream.counts(512)`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np

from stages.proxy.tokens.view import View

COIN, ORDER = 1, 2  # separate hash families
CACHED_PASSES = 3  # assumed: training and counting touch neighbouring passes


@dataclass(frozen=True)
class Counts:
    """Tokens of the first `n_tokens_seen` of a stream; groups in the order of the view's group_names."""

    n_tokens_seen: int
    n_tokens_unique: int
    epochs: float
    seen_by_group: tuple[int, ...]
    unique_by_group: tuple[int, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Fraction of the tokens seen that came from each group."""
        return tuple(n / max(1, self.n_tokens_seen) for n in self.seen_by_group)


@dataclass(frozen=True, eq=False)
class _Pass:
    """One pass: `order` (uses,) positions into the view's rows, `ends` (uses,) stream tokens after each use."""

    order: np.ndarray
    ends: np.ndarray

    @property
    def n_tokens(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0


class Reading(ABC):
    """Random access to the tokens of a view in some order."""

    view: View
    seed: int

    def batch(
        self, step: int, batch_tokens: int, context: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of one step, each (sequences, context) int64."""
        flat = self.with_begin(step * batch_tokens, batch_tokens)
        return flat[:-1].reshape(-1, context), flat[1:].reshape(-1, context)

    def with_begin(self, first: int, n_tokens: int) -> np.ndarray:
        """`n_tokens` of the stream from `first`, led by the token before them (EOS at the very
        start): (n_tokens + 1,).
        """
        if first:
            return self.tokens(first - 1, n_tokens + 1)
        return np.concatenate([[self.view.packed.eos_id], self.tokens(0, n_tokens)])

    def tokens(self, first: int, n_tokens: int) -> np.ndarray:
        """Stream tokens first..first+n_tokens-1 as int64."""
        return self.view.packed.tokens[self.places(first, n_tokens)].astype(np.int64)

    def is_scored(self, first: int, n_tokens: int) -> np.ndarray:
        """Which of the same tokens are of no prompt (n_tokens,)."""
        return self.view.packed.is_scored(self.places(first, n_tokens))

    @abstractmethod
    def again(self) -> Self:
        """The same stream for another thread: one that reads caches where it is."""

    @abstractmethod
    def places(self, first: int, n_tokens: int) -> np.ndarray:
        """Where in the pack stream tokens first..first+n_tokens-1 lie (n_tokens,)."""

    @abstractmethod
    def counts(self, n_tokens_seen: int) -> Counts:
        """Exact counts after the first `n_tokens_seen` tokens; asking in rising order costs each pass once."""

    @abstractmethod
    def counts_from(self, first: int, n_tokens: int) -> Counts:
        """Exact counts over `n_tokens` of the stream from `first`: what was read before does not count."""

    @abstractmethod
    def reach(self, n_tokens_seen: int) -> np.ndarray:
        """Tokens read of each document of the view within the first `n_tokens_seen` (rows,)."""


class Stream(Reading):
    """Pass after pass over the whole view, each in an order of its own."""

    def __init__(self, view: View, seed: int):
        self.view, self.seed = view, seed
        self._passes: dict[int, _Pass] = {}
        self._pass_starts = [0]  # stream position at which each pass begins
        self._progress = _Progress(view)

    def again(self) -> "Stream":
        return Stream(self.view, self.seed)

    def places(self, first: int, n_tokens: int) -> np.ndarray:
        pieces, stop = [], first + n_tokens
        while first < stop:
            index, offset = self.locate(first)
            taken = min(stop - first, self._pass(index).n_tokens - offset)
            pieces.append(self._gather(self._pass(index), offset, taken))
            first += taken
        return np.concatenate(pieces) if pieces else np.empty(0, np.int64)

    def locate(self, position: int) -> tuple[int, int]:
        """(pass, offset in the pass) of a stream position."""
        while self._pass_starts[-1] <= position:
            self._pass_starts.append(
                self._pass_starts[-1] + self._pass(len(self._pass_starts) - 1).n_tokens
            )
        index = int(np.searchsorted(self._pass_starts, position, side="right")) - 1
        return index, position - self._pass_starts[index]

    def counts(self, n_tokens_seen: int) -> Counts:
        seen, unique = self._progress_to(n_tokens_seen).after(*self._at)
        return Counts(
            n_tokens_seen,
            n_tokens_unique=int(unique.sum()),
            epochs=n_tokens_seen / self.view.n_tokens,
            seen_by_group=tuple(seen.tolist()),
            unique_by_group=tuple(unique.tolist()),
        )

    def counts_from(self, first: int, n_tokens: int) -> Counts:
        if not first:
            return self.counts(n_tokens)
        read, different = self._stretch(first, n_tokens)
        positions = np.arange(len(read))
        return Counts(
            n_tokens,
            n_tokens_unique=int(different.sum()),
            epochs=n_tokens / self.view.n_tokens,
            seen_by_group=tuple(self._progress.by_group(positions, read).tolist()),
            unique_by_group=tuple(
                self._progress.by_group(positions, different).tolist()
            ),
        )

    def _stretch(self, first: int, n_tokens: int) -> tuple[np.ndarray, np.ndarray]:
        """Of each document of the view the tokens read in a stretch, repeats counted and not: two (rows,).

        Readings begin at a document's beginning but the first, and go to its end but the last: what is read of a
        document is a beginning and an end of it.
        """
        size = self.view.n_tokens_each
        read, head, tail = (np.zeros(len(size), np.int64) for _ in range(3))
        stop = first + n_tokens
        while first < stop:
            index, offset = self.locate(first)
            plan = self._pass(index)
            end = min(plan.n_tokens, offset + stop - first)
            low = int(np.searchsorted(plan.ends, offset, side="right"))
            high = int(np.searchsorted(plan.ends, end, side="left"))
            used, ends = plan.order[low : high + 1], plan.ends[low : high + 1]
            begins = ends - size[used]
            skipped = np.maximum(offset - begins, 0)
            length = np.minimum(end, ends) - begins - skipped
            np.add.at(read, used, length)
            np.maximum.at(head, used, np.where(skipped == 0, length, 0))
            np.maximum.at(tail, used, np.where(skipped > 0, length, 0))
            first += end - offset
        return read, np.minimum(size, head + tail)

    def reach(self, n_tokens_seen: int) -> np.ndarray:
        return self._progress_to(n_tokens_seen).reach(*self._at)

    def _progress_to(self, n_tokens_seen: int) -> "_Progress":
        """Counts over the passes that are complete by then; `_at` becomes the pass after them and the offset in it."""
        index, offset = self.locate(n_tokens_seen)
        if index < self._progress.n_passes:
            self._progress = _Progress(self.view)
        while self._progress.n_passes < index:
            self._progress.add_pass(self._pass(self._progress.n_passes))
        self._at = self._pass(index), offset
        return self._progress

    def _pass(self, index: int) -> _Pass:
        if index not in self._passes:
            while len(self._passes) >= CACHED_PASSES:
                self._passes.pop(next(iter(self._passes)))
            self._passes[index] = self._plan(index)
        return self._passes[index]

    def _plan(self, index: int) -> _Pass:
        rows, weights = self.view.rows, self.view.weights
        assert weights is not None  # a view has them once it is made
        whole = np.floor(weights)
        times = (
            whole
            + (_uniform(self.seed, COIN, index=index, rows=rows) < weights - whole)
        ).astype(np.int64)
        uses = np.repeat(np.arange(len(rows)), times)
        copy = np.arange(len(uses)) - np.repeat(np.cumsum(times) - times, times)
        order = uses[
            np.argsort(
                stable_hash(self.seed, ORDER, index=index, rows=rows[uses], copy=copy),
                kind="stable",
            )
        ]
        return _Pass(order, np.cumsum(self.view.n_tokens_each[order]))

    def _gather(self, plan: _Pass, offset: int, n_tokens: int) -> np.ndarray:
        """Where tokens offset..offset+n_tokens-1 of one pass lie, by one index array over the documents they touch."""
        first = int(np.searchsorted(plan.ends, offset, side="right"))
        last = int(np.searchsorted(plan.ends, offset + n_tokens, side="left"))
        touched = plan.order[first : last + 1]
        lengths = self.view.n_tokens_each[touched]
        begins = plan.ends[first : last + 1] - lengths
        shift = np.repeat(
            self.view.packed.start[self.view.rows[touched]] - begins, lengths
        )
        skip = offset - int(begins[0])
        return np.arange(offset, offset + n_tokens) + shift[skip : skip + n_tokens]


class _Progress:
    """Counts over whole passes, moved forward pass by pass: `read` marks documents read to their end."""

    def __init__(self, view: View):
        self.view, self.n_passes = view, 0
        self.n_groups = max(1, len(view.group_names))
        self.read = np.zeros(len(view.rows), bool)
        self.seen = np.zeros(self.n_groups, np.int64)

    def add_pass(self, plan: _Pass) -> None:
        self.seen += self.by_group(plan.order, self.view.n_tokens_each[plan.order])
        self.read[plan.order] = True
        self.n_passes += 1

    def after(self, plan: _Pass, offset: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens seen and unique by group after the whole passes and `offset` tokens of `plan`: two (groups,)."""
        whole, part, n_part = self._split(plan, offset)
        seen = (
            self.seen
            + self.by_group(whole, self.view.n_tokens_each[whole])
            + self.by_group(part, n_part)
        )
        return seen, self.by_group(np.arange(len(self.read)), self.reach(plan, offset))

    def reach(self, plan: _Pass, offset: int) -> np.ndarray:
        """Tokens read of each document of the view by then (rows,): all of it, its beginning, or none."""
        whole, part, n_part = self._split(plan, offset)
        read = self.read.copy()
        read[whole] = True
        found = np.where(read, self.view.n_tokens_each, 0)
        found[part] = np.maximum(found[part], n_part)
        return found

    def _split(
        self, plan: _Pass, offset: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Uses of `plan` that end within `offset` tokens, the one that is cut there, and its tokens
        read; the last two of length 0 or 1.
        """
        n_whole = int(np.searchsorted(plan.ends, offset, side="right"))
        whole, part = plan.order[:n_whole], plan.order[n_whole : n_whole + 1]
        return (
            whole,
            part,
            np.full(
                len(part), offset - (int(plan.ends[n_whole - 1]) if n_whole else 0)
            ),
        )

    def by_group(self, positions: np.ndarray, n_tokens: np.ndarray) -> np.ndarray:
        """Tokens of documents at `positions` of the view, summed by group (groups,)."""
        total = np.zeros(self.n_groups, np.int64)
        np.add.at(total, self.view.group_of_row[positions], n_tokens)
        return total


def stable_hash(
    seed: int, family: int, index: int, rows: np.ndarray, copy: np.ndarray | None = None
) -> np.ndarray:
    """64 pseudo-random bits of (seed, family, pass, row, copy): splitmix64 absorbed one word at a time."""
    state = np.zeros(len(rows), np.uint64)
    for word in (seed, family, index, rows, 0 if copy is None else copy):
        state = _mix(state + np.asarray(word).astype(np.uint64))
    return state


def _mix(state: np.ndarray) -> np.ndarray:
    """The splitmix64 step (Steele et al. 2014); its three constants are cited."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _uniform(seed: int, family: int, index: int, rows: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1) from the upper 53 bits."""
    return (
        stable_hash(seed, family, index=index, rows=rows) >> np.uint64(11)
    ) * 2.0**-53
