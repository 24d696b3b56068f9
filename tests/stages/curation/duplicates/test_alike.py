"""Planted pools: what is alike goes, what shares a template, a licence or a neighbour only stays."""

import itertools
import random
import string

import numpy as np
import polars as pl
import pytest

from stages.curation.duplicates.alike import (
    EVERY,
    ShingleSets,
    alike,
    candidates,
    certain_bytes,
    shingle_sets,
)
from stages.curation.duplicates.clusters import deduplicate, duplicates
from stages.curation.duplicates.minhash import signatures, sketch_matrix
from stages.curation.duplicates.settings import MinHash
from stages.curation.reading.documents import documents


def vocabulary(rng, n=20_000):
    return [
        "".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9)))
        for _ in range(n)
    ]


def frame_of(texts):
    """Ids in the order of the texts."""
    frame = documents(texts, [f"{at:05d}" for at in range(len(texts))], "p")
    return frame.with_columns(id=pl.int_range(len(texts)).cast(pl.String).str.zfill(5))


def jaccard(one, other, n=5):
    sets = []
    for text in (one, other):
        words = text.lower().split()
        sets.append({tuple(words[at : at + n]) for at in range(len(words) - n + 1)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def edited(words, changes, rng, vocab):
    """Some words replaced, alone or in a run."""
    words = list(words)
    for _ in range(changes):
        at = rng.randrange(len(words))
        words[at] = rng.choice(vocab)
    return words


@pytest.mark.parametrize("seed", [1, 2])
def test_pairs_go_as_their_true_similarity_says(seed):
    """600 pairs between .4 and 1, of 60 to 600 words, beside 600 documents of their own."""
    rng = random.Random(seed)
    vocab, texts, truth = vocabulary(rng), [], []
    for _ in range(600):
        words = rng.choices(vocab, k=rng.randint(60, 600))
        changes = rng.randint(0, max(1, len(words) // 16))
        texts += [" ".join(words), " ".join(edited(words, changes, rng, vocab))]
        truth.append(jaccard(*texts[-2:]))
    texts += [" ".join(rng.choices(vocab, k=200)) for _ in range(600)]
    frame = frame_of(texts)
    table = deduplicate(frame)[1]
    text, known = dict(frame.select("id", "text").iter_rows()), dict(enumerate(truth))
    gone = table.filter(~pl.col("keep"))
    true = [
        jaccard(text[a], text[b])
        for a, b in gone.select("id", "duplicate_of").iter_rows()
    ]
    assert min(true) >= 0.7
    assert np.mean(np.array(true) >= 0.8) >= 0.99
    alike_pairs = {2 * at + 1 for at, similarity in known.items() if similarity >= 0.8}
    found = {int(id_) for id_ in gone["id"]}
    assert len(alike_pairs) > 100
    assert len(found & alike_pairs) / len(alike_pairs) >= 0.95
    assert gone["similarity"].to_list() == pytest.approx(true, abs=0.09)


@pytest.mark.parametrize(
    ("template", "own", "similarity"), [(140, 60, 0.53), (160, 40, 0.66)]
)
def test_documents_that_share_a_template_stay(template, own, similarity):
    rng = random.Random(template)
    vocab = vocabulary(rng)
    head = rng.choices(vocab, k=template)
    texts = [" ".join(head + rng.choices(vocab, k=own)) + "." for _ in range(2000)]
    assert jaccard(*texts[:2]) == pytest.approx(similarity, abs=0.02)
    assert deduplicate(frame_of(texts))[0].height == 2000
    by_bands = MinHash(bands=14, rows=8)
    table = duplicates(signatures(frame_of(texts), by_bands), "bands", params=by_bands)
    assert table["keep"].sum() < 1500


def test_copies_inside_a_template_are_found():
    """2,000 documents of one template at .66, of 200 of them an edited copy at .8 and more."""
    rng = random.Random(9)
    vocab = vocabulary(rng)
    head = rng.choices(vocab, k=160)
    own = [rng.choices(vocab, k=40) for _ in range(2000)]
    copies = [[*words[:32], *rng.choices(vocab, k=8)] for words in own[:200]]
    texts = [" ".join(head + words) for words in own + copies]
    assert jaccard(texts[0], texts[2000]) == pytest.approx(0.92, abs=0.02)
    table = deduplicate(frame_of(texts))[1].filter(~pl.col("keep"))
    of = {int(a): int(b) for a, b in table.select("id", "duplicate_of").iter_rows()}
    right = [2000 + at for at in range(200) if of.get(2000 + at) == at]
    assert len(right) >= 190 and len(of) == len(right)


def test_what_stands_under_one_licence_stays_unless_it_is_alike():
    """Sixty documents under 200 words of licence: forty with 80 words of their own (.56), twenty
    with 20 (.82).
    """
    rng = random.Random(3)
    vocab = vocabulary(rng)
    licence = rng.choices(vocab, k=200)
    texts = [
        " ".join(licence + rng.choices(vocab, k=80 if at < 40 else 20))
        for at in range(60)
    ]
    kept, table = deduplicate(frame_of(texts))
    assert set(range(40)) < {int(id_) for id_ in kept["id"]}
    assert kept.height == 41
    assert set(table["duplicate_of"].drop_nulls()) == {"00040"}


UNSPACED = {  # an alphabet of the script, its length; a page has no space in it
    "khmer": (0x1780, 33),
    "lao": (0x0E94, 20),
    "burmese": (0x1000, 33),
    "thai": (0x0E01, 46),
    "chinese": (0x4E00, 3000),
    "japanese": (0x3042, 80),
}


@pytest.mark.parametrize("script", UNSPACED)
def test_near_copies_are_found_in_scripts_without_spaces(script):
    rng = random.Random(7)
    first, n = UNSPACED[script]
    letters = [char for char in map(chr, range(first, first + n)) if char.isalpha()]
    vocab = ["".join(rng.choices(letters, k=rng.randint(2, 5))) for _ in range(3000)]
    pages = [rng.choices(vocab, k=150) for _ in range(100)]
    copies = [edited(words, 3, rng, vocab) for words in pages[:50]]
    table = deduplicate(frame_of(["".join(words) for words in pages + copies]))[1]
    gone = table.filter(~pl.col("keep")).select("id", "duplicate_of").rows()
    assert gone == [(f"{100 + at:05d}", f"{at:05d}") for at in range(50)]


def test_the_pieces_in_which_keys_come_change_nothing():
    """A group of 150, larger than is compared pair by pair, and small ones; keys whole or one by one."""
    rng = np.random.default_rng(0)
    params = MinHash(bands=4, rows=4, threshold=0.7)
    sketches = rng.integers(0, 3, (200, 16), dtype=np.uint8)
    sketches[150:] = sketches[:50]
    keys = np.concatenate([np.full(150, 7), rng.integers(10, 20, 200)]).astype(
        np.uint64
    )
    docs = np.concatenate([np.arange(150), np.arange(200)])
    assert EVERY < 150
    given = {
        "rank": rng.permutation(200),
        "words": np.arange(200, dtype=np.uint64),
        "sketches": sketches.view("<u8"),
        "params": params,
    }

    def pairs(*parts):
        found = [candidates(keys[part], docs[part], **given) for part in parts]
        return {
            pair
            for part in found
            for pair in zip(
                *(x.tolist() for x in (part.left, part.right, part.equal)), strict=True
            )
        }

    whole = pairs(rng.permutation(350))
    assert whole == pairs(*(np.flatnonzero(keys == key) for key in np.unique(keys)))
    low = certain_bytes(params)[0]
    for left, right, equal in whole:
        assert equal == (sketches[left] == sketches[right]).sum() >= low
    small = {
        (a, b)
        for key in range(10, 20)
        for a, b in itertools.combinations(sorted(set(docs[keys == key])), 2)
        if (sketches[a] == sketches[b]).sum() >= low
    }
    assert {pair[:2] for pair in whole} >= small


def test_sets_that_were_cut_estimate_the_similarity():
    rng = random.Random(0)
    vocab = vocabulary(rng)
    words = rng.choices(vocab, k=4000)
    other = words[:3600] + rng.choices(vocab, k=400)
    texts = pl.Series([" ".join(words), " ".join(other)])
    true = jaccard(*texts)
    one, two = np.array([0]), np.array([1])
    assert shingle_sets(texts, MinHash()).similarity(one, two)[0] == pytest.approx(true)
    cut = shingle_sets(texts, MinHash(), most=512)
    assert (cut.stops - cut.starts).tolist() == pytest.approx([512, 512], abs=80)
    assert cut.similarity(one, two)[0] == pytest.approx(true, abs=0.06)  # sd .017


def test_a_shingle_that_repeats_counts_once():
    texts = pl.Series(["a b c d e f g " * 30, "a b c d e f g " * 2, "one two"])
    sets = shingle_sets(texts, MinHash())
    left, right = np.array([0, 1, 0, 2]), np.array([1, 0, 0, 0])
    assert sets.similarity(left, right).tolist() == [1, 1, 1, 0]


def test_a_comparison_that_stops_early_says_less_than_what_was_asked():
    rng = random.Random(2)
    vocab = vocabulary(rng)
    words = rng.choices(vocab, k=300)
    texts = [" ".join(edited(words, rng.randrange(10), rng, vocab)) for _ in range(60)]
    sets = shingle_sets(pl.Series(texts), MinHash())
    left, right = np.array(list(itertools.combinations(range(60), 2))).T
    true = sets.similarity(left, right)
    assert true[:50] == pytest.approx(
        [jaccard(texts[0], texts[at]) for at in right[:50]]
    )
    for at_least in (0.7, 0.8):
        found = sets.similarity(left, right, at_least)
        assert (found[true >= at_least] == true[true >= at_least]).all()
        assert (found[true < at_least] < at_least).all()
        assert 0.1 < (true >= at_least).mean() < 0.9


def test_shingles_are_asked_for_near_the_threshold_only():
    rng = random.Random(1)
    vocab = vocabulary(rng)
    words = rng.choices(vocab, k=300)
    texts = [" ".join(edited(words, n, rng, vocab)) for n in (0, 1, 8)]
    frame, asked = frame_of(texts), []

    def sets(rows) -> ShingleSets:
        asked.append(rows.tolist())
        return shingle_sets(frame["text"].gather(rows), MinHash())

    table = signatures(frame)
    found = candidates(
        np.ones(3, dtype=np.uint64),
        np.arange(3),
        rank=np.arange(3),
        words=table["words"].to_numpy(),
        sketches=sketch_matrix(table),
        params=MinHash(),
    )
    left, right, similarity = alike(found, MinHash(), sets)
    assert (
        jaccard(texts[0], texts[1]) > 0.95 and 0.7 < jaccard(texts[0], texts[2]) < 0.8
    )
    assert asked == [[0, 1, 2]]
    assert (left.tolist(), right.tolist()) == ([0], [1]) and similarity[0] > 0.9
