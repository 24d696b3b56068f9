"""Which language's rules a document is judged by: the one whose function words it holds.

Input: texts of one script and their words. Output: a code of FUNCTION_WORDS, or und-<script> where no function words
say which it is. A language that a document declares counts where its words do not speak and its script agrees. A text
in Latin letters whose words name no language is English only where its letters stand together as in English.
Not the model of `language`: it takes four times as long as all rules, and results would hang on an extra.
Measured on Django's catalogues, 40 texts of 900 characters in each of 90 locales: of the languages of the table 99 %
are named right, the others are a close relative's; English always (before words were sampled; not measured again).
Cost: 1 to 8 % of the rules, on a busy machine (measured).
"""

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl

from stages.curation.kernels.words import list_hits, word_table
from stages.curation.text.function_words import ENGLISH, FUNCTION_WORDS, INSIDE
from stages.curation.text.language_codes import model_code
from stages.curation.text.scripts import (
    LATIN_SCRIPT,
    UNSPACED_SCRIPTS,
    main_scripts,
)
from stages.curation.text.words import Words, word_hash

UNKNOWN = "und"
# Of a document's words, that are function words of its language. Measured: 99 % of Django's texts in languages of the
# table hold more, those in languages without relatives there fewer.
MIN_SHARE = 0.06
MOST_WORDS = 160  # of a document that are looked up (assumed)
MIN_DISTINCT = 2  # Gopher's number of stop words
# Letters that stand together most often in English, function words left out; measured on 10,000 words of documentation.
ENGLISH_TRIGRAMS = frozenset(
    """
    _a_ _ab _al _be _ch _co _da _de _do _en _fi _fo _in _it _ke _la _le _li _lo _ma _me _mo _na _no _nu
    _on _pa _po _pr _re _ru _s_ _sa _se _sh _si _st _ta _te _th _to _tr _va _wh _wo age ain ali all alu
    ame an_ ang ass at_ ate ati ay_ ce_ ch_ com con ct_ cti cum dat dec del doc ds_ eas ect ed_ ele en_
    ent er_ ere ers es_ est et_ fil for ge_ han her id_ in_ ine ing ion its lat ld_ le_ lea ll_ low lue
    ly_ me_ men nam nce ne_ ng_ ns_ nt_ nte nts ocu ode on_ one ont ord ore our out ove ow_ par pas rd_
    re_ red res rs_ run se_ st_ sta te_ ted ter th_ the tio ts_ ue_ ume ur_ ure use ut_ val ve_ ver wor
    """.split()
)
# Measured: at least .27 in 300 English texts without function words, at most .22 in Breton, Igbo, Turkmen, Uzbek.
MIN_TRIGRAM_SHARE = 0.25
MIN_TRIGRAMS = 40  # fewer say nothing: English (assumed)
READ_CHARS = 20_000


def written_in(
    texts: pl.Series, words: Words, script: str, declared: pl.Series | None = None
) -> np.ndarray:
    """The language of each text (D,), all of them of one script; `declared` are codes in any form, or null."""
    found = (
        _by_spelling(texts, script)
        if script in (*UNSPACED_SCRIPTS, "Hang")
        else _by_words(words)
    )
    for row in np.flatnonzero(found == "").tolist():
        named = None if declared is None else _declared(declared[row], script)
        found[row] = named or _unnamed(texts[row], script)
    return found


def own_function_words(texts: pl.Series, words: Words, langs: np.ndarray) -> np.ndarray:
    """How many different function words of its own language each text holds (D,); nan without a table, and for
    English, which Gopher has a list for.
    """
    counts = np.full(len(texts), np.nan)
    for lang in set(langs.tolist()) & set(FUNCTION_WORDS) - {ENGLISH}:
        rows = np.flatnonzero(langs == lang)
        counts[rows] = (
            _spelled(texts.gather(rows), lang)
            if lang in INSIDE
            else _held(words, rows, lang)
        )
    return counts


@cache
def _languages() -> list[str]:
    return [lang for lang in FUNCTION_WORDS if lang not in INSIDE]


@cache
def _hashes(lang: str) -> np.ndarray:
    listed = sorted(set(FUNCTION_WORDS[lang].split()))
    return np.array([word_hash(word) for word in listed], dtype=np.uint64)


@cache
def _table() -> tuple[np.ndarray, ...]:
    lists: dict[int, list[int]] = {}
    for number, lang in enumerate(_languages()):
        for key in _hashes(lang).tolist():
            lists.setdefault(key, []).append(number)
    return word_table(lists)


def _by_words(words: Words) -> np.ndarray:
    """The language of most function words, '' where they are too few (D,)."""
    names = np.array([*_languages(), ""], dtype=object)
    hits, steps = list_hits(
        words.hashes, words.docs, _table(), len(names) - 1, MOST_WORDS
    )
    best = hits.argmax(axis=1)
    most = hits[np.arange(len(hits)), best]
    share = most * steps / np.maximum(words.sums(words.named), 1)
    named = names[np.where(share >= MIN_SHARE, best, len(names) - 1)]
    for lang in set(named.tolist()) - {"", ENGLISH}:
        rows = np.flatnonzero(named == lang)
        named[rows[_held(words, rows, lang) < MIN_DISTINCT]] = ""
    return named


def _by_spelling(texts: pl.Series, script: str) -> np.ndarray:
    """The language of an unspaced script, '' where its function words are too few (D,)."""
    named = np.full(len(texts), "", dtype=object)
    if lang := _language_of(script):
        named[_spelled(texts, lang) >= MIN_DISTINCT] = lang
    return named


def _language_of(script: str) -> str | None:
    return next((lang for lang in INSIDE if script_of(lang) == script), None)


def _held(words: Words, rows: np.ndarray, lang: str) -> np.ndarray:
    """Different function words of the language in the documents `rows`."""
    chosen = np.concatenate(
        [np.arange(words.docs[row], words.docs[row + 1]) for row in rows]
    )
    owner = np.repeat(np.arange(len(rows)), words.per_doc[rows])
    known = _hashes(lang)
    place = np.searchsorted(known_sorted := np.sort(known), words.hashes[chosen])
    place = np.minimum(place, len(known) - 1)
    hit = known_sorted[place] == words.hashes[chosen]
    pairs = np.unique(owner[hit] * len(known) + place[hit])
    return np.bincount(pairs // len(known), minlength=len(rows))


def _spelled(texts: pl.Series, lang: str) -> np.ndarray:
    found = np.zeros(len(texts), dtype=np.int64)
    for word in set(FUNCTION_WORDS[lang].split()):
        found += texts.str.contains(word, literal=True).to_numpy()
    return found


@cache
def script_of(lang: str) -> str:
    """The script of a language's function words."""
    return main_scripts(pl.Series([FUNCTION_WORDS[lang]]))[0]


def _declared(lang: str | None, script: str) -> str | None:
    code = None if lang is None else model_code(lang)
    return code if code in FUNCTION_WORDS and script_of(code) == script else None


def _unnamed(text: str, script: str) -> str:
    if script == LATIN_SCRIPT and _is_like_english(text[:READ_CHARS]):
        return ENGLISH
    return f"{UNKNOWN}-{script}"


def _is_like_english(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+", text.lower())
    trigrams = trigrams_of(words)
    known = sum(trigram in ENGLISH_TRIGRAMS for trigram in trigrams)
    return len(trigrams) < MIN_TRIGRAMS or known >= MIN_TRIGRAM_SHARE * len(trigrams)


def trigrams_of(words: Sequence[str]) -> list[str]:
    """Three letters in a row, the ends of a word counted as one, written _.

    >>> trigrams_of(["so"])
    ['_so', 'so_']
    """
    spelled = [f"_{word}_" for word in words]
    return [word[at : at + 3] for word in spelled for at in range(len(word) - 2)]
