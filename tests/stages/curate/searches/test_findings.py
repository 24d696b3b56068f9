"""What a run says of the copies that it dropped, and of texts that many documents share."""

import random

import pytest


def page(rng, n):
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(n)]


LICENCE = (
    "Permission is hereby granted to whoever holds this text to copy and to change it"
    " for any purpose as long as this notice stands at its head".split()
)


@pytest.fixture
def pool(write):
    """40 pages under a licence, 30 edited copies of one page, 60 of their own."""
    rng = random.Random(0)
    licence = LICENCE + page(rng, 80)
    base = page(rng, 200)
    copies = [[*base[:-2], *page(rng, 2)] for _ in range(30)]
    texts = [licence + page(rng, 60) for _ in range(40)] + [base, *copies]
    texts += [page(rng, 150) for _ in range(60)]
    return write(content=[{"text": " ".join(words)} for words in texts])


def run_quietly(run, pool, **dedup):
    return run(pool, rules=[], pool="web", dedup={"keep": "first"} | dedup)


def test_a_large_cluster_and_a_shared_licence_are_named(run, pool, tmp_path, caplog):
    manifest = run_quietly(run, pool)
    assert manifest["counts"]["dropped"] == 30
    found = {entry["code"]: entry["message"] for entry in manifest["warnings"]}
    assert set(found) == {"large_cluster", "shared_text"}
    assert found["large_cluster"].startswith("web: 30 (23 %) go as copies of ")
    assert "hold one text" in found["shared_text"]
    assert found["shared_text"].split(": ", 2)[2].startswith("'Permission is hereby")
    said = [record.getMessage() for record in caplog.records]
    assert all(f"warning: {message}" in said for message in found.values())
    report = (tmp_path / "out/report.md").read_text()
    assert "Look at these first" in report and "Permission is hereby" in report


def test_a_pool_that_loses_more_than_the_stated_share_is_named(run, pool):
    manifest = run_quietly(run, pool, warn_lost=0.2, warn_cluster=1, warn_shared=1)
    (only,) = manifest["warnings"]
    assert only["code"] == "pool_lost"
    assert only["message"].startswith("web: 30 of 131 documents (23 %) go as copies")


def test_pairs_that_were_dropped_are_shown_with_their_similarity(
    run, pool, read, tmp_path
):
    manifest = run_quietly(run, pool)
    dropped = read("dropped").filter(reason="duplicate_near")
    known = {row["id"]: row for row in dropped.to_dicts()}
    kept = dict(read("kept").select("id", "text").rows())
    assert len(manifest["copies"]) == 10
    for pair in manifest["copies"]:
        row = known[pair["id"]]
        assert pair["duplicate_of"] == row["duplicate_of"]
        assert pair["similarity"] == pytest.approx(row["similarity"])
        assert row["similarity"] == pytest.approx(194 / 198, abs=0.04)
        assert pair["text"] == row["text"][:160]
        assert pair["kept_text"] == kept[row["duplicate_of"]][:160]
    assert read("kept")["similarity"].null_count() == len(kept)
    assert "| alike | dropped | kept |" in (tmp_path / "out/report.md").read_text()


def test_a_pool_of_its_own_documents_is_quiet(run, write):
    rng = random.Random(1)
    texts = [" ".join(page(rng, 150)) for _ in range(100)]
    manifest = run_quietly(run, write(content=[{"text": text} for text in texts]))
    assert manifest["warnings"] == manifest["copies"] == []
