"""Speed of the n-gram perplexity beside a plain implementation and, given its Python, nltk; and
what each score tells apart.

python benchmarks/ngram_model.py [PEER_PYTHON] [FOLDER]. FOLDER is an ingest folder (data/ingest):
pools and reference. All train on the reference and score the same documents, one thread. Prints MB
of text a CPU-second and ratios, checks that the plain implementation gives the same nats, and ends
with one JSON object.
"""

import json
import math
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.scores.ngram_model import Ngram, train_ngram

ORDER = 3
# the slow ones get a part; MB a second are comparable all the same
PLAIN_DOCUMENTS, PEER_DOCUMENTS = (1000, 40)
PEER = """
import json, re, sys, time
from nltk.lm import KneserNeyInterpolated
from nltk.lm.preprocessing import padded_everygram_pipeline
texts = json.load(open(sys.argv[1]))
words = {name: [re.findall(r"\\\\w+", text.lower()) for text in part] for name, part in texts.items()}
start = time.process_time()
grams, vocabulary = padded_everygram_pipeline(3, words["train"])
model = KneserNeyInterpolated(3)
model.fit(grams, vocabulary)
trained = time.process_time() - start
start = time.process_time()
for line in words["score"]:
    padded = ["<s>", "<s>", *line]
    sum(-model.logscore(padded[i], padded[i - 2 : i]) for i in range(2, len(padded)))
print(json.dumps({"train": trained, "score": time.process_time() - start}))
"""


def machine() -> dict[str, str]:
    """What the figures hold for."""
    with open("/proc/cpuinfo") as file:
        model = next(
            line.split(":")[1].strip() for line in file if line.startswith("model name")
        )
    return {
        "cpu": model,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "polars": pl.__version__,
    }


class Plain:
    """Interpolated Kneser-Ney in dictionaries: what one writes without a library."""

    def __init__(self, lines: list[list[str]]):
        self.counts = [Counter() for _ in range(ORDER + 1)]
        for line in lines:
            words = ["<s>"] * (ORDER - 1) + line
            self.counts[ORDER].update(
                zip(*(words[k:] for k in range(ORDER)), strict=False)
            )
        for k in range(ORDER - 1, 0, -1):
            self.counts[k].update(gram[1:] for gram in self.counts[k + 1])
        self.discount, self.total, self.passed = (
            [0.0] * (ORDER + 1),
            defaultdict(float),
            defaultdict(float),
        )
        for k in range(1, ORDER + 1):
            once, twice = (sum(c == n for c in self.counts[k].values()) for n in (1, 2))
            self.discount[k] = once / (once + 2 * twice)
            for gram, c in self.counts[k].items():
                self.total[gram[:-1]] += c
                self.passed[gram[:-1]] += min(c, self.discount[k])

    def nats(self, line: list[str]) -> float:
        words, total = ["<s>"] * (ORDER - 1) + line, 0.0
        for i in range(ORDER - 1, len(words)):
            chance = 1 / (len(self.counts[1]) + 1)
            for k in range(1, ORDER + 1):
                context = tuple(words[i - k + 1 : i])
                if of_context := self.total.get(context):
                    c = self.counts[k].get((*context, words[i]), 0)
                    chance = (
                        max(c - self.discount[k], 0) / of_context
                        + self.passed[context] / of_context * chance
                    )
            total -= math.log(chance)
        return total


def timed(function):
    start = time.process_time()
    return function(), time.process_time() - start


def megabytes(texts: pl.Series) -> float:
    return float(texts.str.len_bytes().sum()) / 1e6


def words_of(texts: pl.Series) -> list[list[str]]:
    return texts.str.to_lowercase().str.extract_all(r"[a-z]+").to_list()


def main() -> None:
    peer = sys.argv[1] if len(sys.argv) > 1 and not Path(sys.argv[1]).is_dir() else None
    folder = next((arg for arg in sys.argv[1:] if Path(arg).is_dir()), "data/ingest")
    reference = pl.read_parquet(f"{folder}/reference.parquet").sort("id")["text"]
    pool = pl.read_parquet(f"{folder}/pools/**/*.parquet").sort("id")["text"]
    rows = []
    for unit, order in (
        ("word", 1),
        ("word", 2),
        ("word", 3),
        ("word", 5),
        ("character", 5),
    ):
        model, train_s = timed(
            lambda unit=unit, order=order: train_ngram(
                reference, Ngram(unit=unit, order=order)
            )
        )
        _, score_s = timed(lambda model=model: model.document_nats(pool))
        rows.append(
            (
                f"ours, {unit} {order}-grams",
                megabytes(reference) / train_s,
                megabytes(pool) / score_s,
            )
        )
    letters = (
        reference.str.to_lowercase().str.replace_all("[^a-z]+", " "),
        pool[:PLAIN_DOCUMENTS].str.to_lowercase().str.replace_all("[^a-z]+", " "),
    )
    plain, train_s = timed(lambda: Plain(words_of(letters[0])))
    nats, score_s = timed(lambda: [plain.nats(line) for line in words_of(letters[1])])
    rows.append(
        (
            "plain dictionaries, word 3-grams",
            megabytes(letters[0]) / train_s,
            megabytes(letters[1]) / score_s,
        )
    )
    ours = train_ngram(letters[0], Ngram(order=ORDER)).document_nats(letters[1])[0]
    agreement = float(np.max(np.abs(ours - nats) / np.maximum(nats, 1)))
    if peer:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            score = pool[:PEER_DOCUMENTS]
            train = reference[:300]
            json.dump({"train": train.to_list(), "score": score.to_list()}, file)
            file.flush()
            done = json.loads(
                subprocess.run(
                    [peer, "-c", PEER.replace("\\\\", "\\"), file.name],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
        rows.append(
            (
                "nltk KneserNeyInterpolated, word 3-grams",
                megabytes(train) / done["train"],
                megabytes(score) / done["score"],
            )
        )
    base = rows[2]
    print(
        f"{'':42}{'train MB/CPU-s':>16}{'score MB/CPU-s':>16}{'ours, 3-grams, is':>20}"
    )
    for name, train_speed, score_speed in rows:
        print(
            f"{name:42}{train_speed:16.3f}{score_speed:16.4f}{base[2] / score_speed:14.1f}"
            " times"
        )
    print(
        f"largest relative difference from the plain implementation over {len(nats)}"
        f" documents: {agreement:.1e}"
    )
    figures = {
        name: {"train_mb_cpu_s": round(a, 3), "score_mb_cpu_s": round(b, 4)}
        for name, a, b in rows
    }
    print(
        json.dumps(
            {
                "figures": figures,
                "largest_difference": agreement,
                "reference_mb": megabytes(reference),
                "pool_mb": megabytes(pool),
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
