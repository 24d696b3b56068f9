"""Counts of what each reason drops, alone and in order, with examples; they add up over units.

Question: what would each rule drop by itself, what is left for it in order, and what does that look like?
Input: documents and one boolean column a reason. Output: a JSON-able dict a unit, merged by `merge`.
The examples are the dropped documents of the smallest id hash, so they do not depend on how the input was cut.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from stages.curate.work.steps import Step
from stages.curation.reading.documents import uniform
from stages.curation.rules.by_language import RULES_LANG

EXAMPLES = 3
SNIPPET_CHARS = 160


class Tally:
    """Counts of one unit."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.reasons = [reason for step in steps for reason in step.reasons]
        # documents, characters alone; documents, characters in order
        self.counts = np.zeros((len(self.reasons), 4), dtype=np.int64)
        self.examples: dict[str, list[list]] = {}
        self.documents, self.characters = 0, 0
        self.languages: Counter[str] = Counter()  # that the rules judged by

    def add(self, frame: pl.DataFrame, fails: pl.DataFrame, reason: pl.Series) -> None:
        """One batch: its documents, its boolean columns and the first reason of each."""
        if frame.is_empty():
            return
        chars = frame["n_chars"].to_numpy()
        self.documents += frame.height
        self.characters += int(chars.sum())
        if RULES_LANG in frame.columns:
            self.languages.update(frame[RULES_LANG].drop_nulls().to_list())
        for row, name in enumerate(self.reasons):
            alone, first = (
                fails[name].to_numpy(),
                (reason == name).fill_null(False).to_numpy(),
            )
            self.counts[row] += (
                alone.sum(),
                chars[alone].sum(),
                first.sum(),
                chars[first].sum(),
            )
            if first.any():
                self._exemplify(name, frame.filter(pl.Series(first)))

    def _exemplify(self, name: str, frame: pl.DataFrame) -> None:
        self.examples[name] = nearest_zero(
            [*self.examples.get(name, []), *sampled(frame)]
        )

    def as_json(self) -> dict:
        rows = dict(zip(self.reasons, self.counts.tolist(), strict=True))
        return {
            "characters": self.characters,
            "reasons": rows,
            "examples": self.examples,
            "languages": dict(self.languages),
        }


def sampled(frame: pl.DataFrame, n: int = EXAMPLES) -> list[list]:
    """[hash, id, source, snippet] of the documents of the smallest hashes."""
    place = uniform(0, frame["id"], "example")
    order = np.argsort(place, kind="stable")[:n]
    rows = (
        frame[order]
        .select("id", "source", pl.col("text").str.slice(0, SNIPPET_CHARS))
        .rows()
    )
    return [[float(place[at]), *row] for at, row in zip(order, rows, strict=True)]


def nearest_zero(examples: Iterable[list], n: int = EXAMPLES) -> list[list]:
    return sorted(examples, key=lambda example: example[:2])[:n]


def merge(parts: Iterable[dict]) -> dict:
    """The sum of the counts of several units, `as_json` dicts or their sums."""
    total: dict = {
        "rows": 0,
        "empty": 0,
        "bad_rows": 0,
        "documents": 0,
        "characters": 0,
        "reasons": {},
        "examples": {},
        "faults": {},
        "languages": Counter(),
    }
    for part in parts:
        for name in ("rows", "empty", "bad_rows", "documents", "characters"):
            total[name] += part.get(name, 0)
        total["languages"].update(part.get("languages", {}))
        for name, counts in part["reasons"].items():
            total["reasons"][name] = [
                a + b
                for a, b in zip(
                    total["reasons"].get(name, [0] * 4), counts, strict=True
                )
            ]
        for name, examples in part["examples"].items():
            total["examples"][name] = nearest_zero(
                [*total["examples"].get(name, []), *examples]
            )
        for file, fault in part.get("faults", {}).items():
            known = total["faults"].setdefault(
                file, {"rows": 0, "first": fault["first"], "rest": None}
            )
            known["rows"] += fault["rows"]
            known["rest"] = known["rest"] or fault["rest"]
    return total
