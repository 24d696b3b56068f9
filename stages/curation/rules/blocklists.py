"""The user's own lists: words that a text must not hold, and domains, addresses and words that a URL must not.

Input: text files, one entry a line, '#' starts a comment. Output: counts that the document rules judge. The lists that
other tools ship are not included: they are other people's judgements, hold thousands of false alarms and age.
Cost: bad words 95 MB a CPU-second, 200,000 URLs a CPU-second (measured).
"""

import re
from collections.abc import Iterable

import numpy as np
import polars as pl

from stages.curation.rules.list_files import UrlLists
from stages.curation.text.characters import block_of, blocks, ngram_hashes, plain_words

HOST = r"^(?:[a-z][a-z0-9+.\-]*:)?(?://)?(?:[^/?#@]*@)?([^/?#:]+)"


def url_measures(urls: pl.Series, lists: UrlLists) -> dict[str, np.ndarray]:
    """`url_domains`, `url_addresses`, `url_words`, `url_soft_words`, `url_substrings`: entries that
    each URL holds (D,).

    A missing URL holds none. Words are what stands between characters other than letters and
    digits.
    """
    lower = urls.fill_null("").str.to_lowercase()
    words = lower.str.replace_all("[^a-z0-9]+", " ").str.split(" ")
    squeezed = lower.str.replace_all("[^a-z0-9]+", "")
    hosts = lower.str.extract(HOST).fill_null("")
    blocked = {
        host: any(
            ".".join(host.split(".")[at:]) in lists.domains
            for at in range(host.count(".") + 1)
        )
        for host in hosts.unique()
    }
    return {
        "url_domains": np.fromiter(
            (blocked[host] for host in hosts), dtype=np.float64, count=len(hosts)
        ),
        "url_addresses": lower.is_in(list(lists.urls)).cast(pl.Float64).to_numpy(),
        "url_words": _held(words, lists.words),
        "url_soft_words": _held(words, lists.soft_words),
        "url_substrings": (
            squeezed.str.contains_any(sorted(lists.substrings))
            .cast(pl.Float64)
            .to_numpy()
            if lists.substrings
            else np.zeros(len(urls))
        ),
    }


def _held(words: pl.Series, entries: Iterable[str]) -> np.ndarray:
    """How many distinct entries each list of words holds (D,)."""
    known = [re.sub("[^a-z0-9]+", "", entry) for entry in sorted(entries)]
    return (
        words.list.set_intersection(known).list.len().cast(pl.Float64).to_numpy()
        if known
        else np.zeros(len(words))
    )


def bad_word_counts(texts: pl.Series, entries: Iterable[str]) -> np.ndarray:
    """How often any entry, a word or a phrase, stands in each text as whole words, whatever its case (D,).

    In scripts written without spaces each character is a word, so that an entry is found anywhere.
    """
    listed = [
        np.asarray(plain_words(block_of(pl.Series([entry])))[0])
        for entry in sorted(entries)
    ]
    by_length: dict[int, list[np.ndarray]] = {
        len(words): [] for words in listed if len(words)
    }
    for words in listed:
        if len(words):
            by_length[len(words)].append(ngram_hashes(words, len(words))[0])
    counts = np.zeros(len(texts))
    for rows, block in blocks(texts):
        hashes, docs = plain_words(block)
        for n, known in by_length.items():
            hits = np.flatnonzero(np.isin(ngram_hashes(hashes, n), known))
            owner = np.searchsorted(docs, hits, side="right") - 1
            inside = hits + n <= docs[owner + 1]
            counts[rows] += np.bincount(owner[inside], minlength=block.n_docs)
    return counts
