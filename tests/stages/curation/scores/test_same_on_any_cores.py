"""What is fitted to texts is the same from the first call of a process on, whatever number of threads it has."""

import os
import subprocess
import sys

import pytest

from stages.foundation.stage import ROOT

TEXTS = """
import numpy as np
from threadpoolctl import threadpool_limits

words = [f"w{at}" for at in range(60)]
rng = np.random.default_rng(0)
texts = [" ".join(rng.choice(words, 150)) for _ in range(700)]
"""
SPACE = """
from stages.curation.reading.documents import documents
from stages.curation.scores.word_space import fit_space

sample = documents(texts, [str(at) for at in range(len(texts))], "p")
fit = lambda: fit_space(sample, 128)
"""
ROWS = """
from stages.curation.vectors.embeddings import fit_hashed_words

fit = lambda: fit_hashed_words(texts)[1]
"""
# the first fit of a process is the one that loads the libraries which a limit is set for
TWICE = """
with threadpool_limits(1):
    first = fit()
several = fit()
with threadpool_limits(1):
    one = fit()
assert np.array_equal(first, one) and np.array_equal(several, one)
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has one thread")
@pytest.mark.parametrize("maker", [SPACE, ROWS])
def test_a_fit_does_not_depend_on_threads(maker):
    done = subprocess.run(
        [sys.executable, "-c", TEXTS + maker + TWICE],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
