"""An n-gram language model with interpolated Kneser-Ney smoothing, on hashed words or characters,
in numpy.

Question: how surprising is a text to somebody who has read only the training text? Input: texts.
Output: nats a token.
    p_k(w | h) = max(c(hw) - D_k, 0) / c(h.) + D_k types(h.) / c(h.) p_{k-1}(w | h'),   p_0 = 1 / (words + 1)
(Kneser & Ney 1995; Chen & Goodman 1998, eq. 20): c counts at the highest order and preceding types
below it; one discount an order, D = n1 / (n1 + 2 n2). A document begins after `order - 1` marks;
there is no end mark. Words are lower case, punctuation dropped, a CJK character a word; characters
are taken as they stand. Over the words seen and one unseen word the chances sum to 1 (a test):
64-bit keys are looked up exactly, so hashing loses nothing below some 1e9 n-grams. Cost: in
benchmarks/README.md under "ngram_model.py"; memory 16 to 20 bytes an n-gram and context of each
order.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.scores.model_card import load_model, save_model
from stages.curation.scores.ngram_table import KeyTable
from stages.curation.text.characters import (
    Block,
    blocks,
    mixed,
    ngram_hashes,
    plain_words,
)
from stages.foundation.errors import InputError

KIND = "ngram"
UNITS = ("word", "character")
START = np.uint64(0x5DEECE66D1CE4E5B)  # assumed: no word or character has this hash
FALLBACK_DISCOUNT = 0.75  # cited: the usual value, Chen & Goodman 1998; where no n-gram is seen once or twice


@dataclass(frozen=True, kw_only=True)
class Ngram:
    """Settings: `order` words (or characters) at most, the last included."""

    unit: str = "word"
    order: int = 3

    def __post_init__(self) -> None:
        if self.unit not in UNITS or not 1 <= self.order <= 8:
            raise InputError(
                f"an n-gram model of {self.unit!r} and order {self.order}: unit is one"
                f" of {', '.join(UNITS)}, order 1 to 8"
            )


@dataclass(frozen=True, eq=False)
class Order:
    """One order: discounted shares of its n-grams, and the mass that its contexts pass down."""

    grams: KeyTable
    shares: np.ndarray  # (grams + 1,) float32; the last is 0, for n-grams never seen
    contexts: KeyTable
    # (contexts + 1,) float32; the last is 1, for contexts never seen
    passed: np.ndarray


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A trained model; `orders` from 1 up, `n_words` distinct tokens seen, `n_tokens` read."""

    params: Ngram
    orders: list[Order]
    n_words: int
    n_tokens: int

    def document_nats(self, texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """Summed -log p of each text (D,) in nats, and its tokens (D,)."""
        nats, counts = [np.zeros(0)], [np.zeros(0, np.int64)]
        for _, block in blocks(texts):
            keys, contexts, docs = _keys(block, self.params)
            surprise, filled = (
                -np.log(self._chances(keys, contexts)),
                np.flatnonzero(np.diff(docs)),
            )
            nats.append(np.zeros(block.n_docs))
            if len(filled):
                nats[-1][filled] = np.add.reduceat(surprise, docs[filled])
            counts.append(np.diff(docs))
        return np.concatenate(nats), np.concatenate(counts)

    def _chances(
        self, keys: list[np.ndarray], contexts: list[np.ndarray]
    ) -> np.ndarray:
        chance = np.full(len(keys[0]), 1.0 / (self.n_words + 1))
        for order, key, context in zip(self.orders, keys, contexts, strict=True):
            chance *= order.passed[order.contexts.find(context)]
            chance += order.shares[order.grams.find(key)]
        return chance

    def save(self, folder: Path | str, card: dict) -> None:
        """Write the model; `card` says what it was trained on."""
        arrays = {
            f"{name}_{k}": array
            for k, order in enumerate(self.orders, 1)
            for name, array in (
                ("grams", order.grams.keys),
                ("shares", order.shares),
                ("contexts", order.contexts.keys),
                ("passed", order.passed),
            )
        }
        sizes = [len(order.grams.keys) for order in self.orders]
        numbers = {
            "params": asdict(self.params),
            "n_words": self.n_words,
            "n_tokens": self.n_tokens,
            "ngrams_by_order": sizes,
        }
        save_model(folder, KIND, card=numbers | card, arrays=arrays)


def load_ngram(folder: Path | str) -> tuple[NgramModel, dict]:
    """A model saved before, and its card."""
    card, arrays = load_model(folder, KIND)
    params = Ngram(**card["params"])
    orders = [
        Order(
            KeyTable.of(arrays[f"grams_{k}"]),
            shares=arrays[f"shares_{k}"],
            contexts=KeyTable.of(arrays[f"contexts_{k}"]),
            passed=arrays[f"passed_{k}"],
        )
        for k in range(1, params.order + 1)
    ]
    return NgramModel(
        params, orders=orders, n_words=card["n_words"], n_tokens=card["n_tokens"]
    ), card


def train_ngram(
    texts: pl.Series | Iterable[pl.Series], params: Ngram = Ngram()
) -> NgramModel:
    """Count and smooth. `texts` may be a stream of columns; 16 bytes a token and order are held while counting.

    >>> model = train_ngram(pl.Series(["the cat sat on the mat", "the dog sat on the log"]))
    >>> nats, tokens = model.document_nats(pl.Series(["the cat sat", "sat cat the"]))
    >>> tokens.tolist(), bool(nats[0] < nats[1])
    ([3, 3], True)
    """
    parts = [
        _keys(block, params)[:2]
        for column in ([texts] if isinstance(texts, pl.Series) else texts)
        for _, block in blocks(column)
    ]
    n_tokens = sum(len(keys[0]) for keys, _ in parts)
    if not n_tokens:
        raise InputError(
            f"the training text holds no {params.unit}; an n-gram model needs some"
        )
    keys, contexts = (
        [np.concatenate([part[side][k] for part in parts]) for k in range(params.order)]
        for side in (0, 1)
    )
    # places in the text of what is counted: every token, then one of each longer n-gram
    orders, seen = ([], np.arange(n_tokens))
    for k in reversed(range(params.order)):
        grams, first, counts = np.unique(
            keys[k][seen], return_index=True, return_counts=True
        )
        seen = seen[first]
        orders.append(_smoothed(grams, counts, contexts[k][seen]))
    return NgramModel(
        params,
        orders=orders[::-1],
        n_words=len(orders[-1].grams.keys),
        n_tokens=n_tokens,
    )


def _smoothed(grams: np.ndarray, counts: np.ndarray, context_of: np.ndarray) -> Order:
    """One order from its distinct n-grams, their counts and the context of each."""
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = once / (once + 2 * twice) if once and twice else FALLBACK_DISCOUNT
    contexts, place, _types = np.unique(
        context_of, return_inverse=True, return_counts=True
    )
    total = np.bincount(place, weights=counts)
    shares = (counts - discount).clip(min=0) / total[place]
    # what the n-grams of a context give up, exactly
    passed = np.minimum(counts, discount)
    passed = np.bincount(place, weights=passed) / total
    return Order(
        KeyTable.of(grams),
        shares=np.append(shares, 0).astype(np.float32),
        contexts=KeyTable.of(contexts),
        passed=np.append(passed, 1).astype(np.float32),
    )


def _keys(
    block: Block, params: Ngram
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """For each order the key of the n-gram that ends at each token and of its context (T,); and the
    first token of each document.
    """
    tokens, docs = _tokens(block, params.unit)
    ahead = params.order - 1
    padded = np.full(len(tokens) + ahead * block.n_docs, START, dtype=np.uint64)
    ends = np.arange(len(tokens)) + ahead * (
        1 + np.repeat(np.arange(block.n_docs), np.diff(docs))
    )
    padded[ends] = tokens
    grams = [
        np.zeros(len(padded) + 1, dtype=np.uint64),
        *(ngram_hashes(padded, k) for k in range(1, params.order + 1)),
    ]
    keys = [
        mixed(grams[k][ends - k + 1] + np.uint64(k)) for k in range(1, params.order + 1)
    ]
    contexts = [
        mixed(grams[k - 1][ends - k + 1] + np.uint64(16 + k))
        for k in range(1, params.order + 1)
    ]
    return keys, contexts, docs


def _tokens(block: Block, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Token hashes (T,) and the first token of each document (D + 1,)."""
    if unit == "word":
        return plain_words(block)
    inside = np.ones(len(block.codes), dtype=bool)
    # the newline that ends each document in a block
    inside[block.doc_starts[1:] - 1] = False
    return mixed(
        block.codes[inside].astype(np.uint64) + np.uint64(1)
    ), block.doc_starts - np.arange(block.n_docs + 1)
