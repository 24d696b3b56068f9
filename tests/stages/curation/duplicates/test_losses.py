"""What is said of a pool before its copies go, with every number known by hand."""

import pytest

from stages.curation.duplicates.losses import Group, common_run, copy_warnings
from stages.curation.duplicates.settings import Limits

LIMITS = Limits(lost=0.5, cluster=0.1, shared=0.1)
LICENCE = "one two three four five six seven eight nine ten eleven twelve thirteen"


def said(documents=200, lost=0, clusters=(), shared=(), limits=LIMITS):
    found = copy_warnings(
        "web", documents, lost, clusters=clusters, shared=shared, limits=limits
    )
    return [(warning.code, warning.message) for warning in found]


@pytest.mark.parametrize(("lost", "codes"), [(99, []), (100, ["pool_lost"])])
def test_a_pool_is_named_from_the_stated_share_on(lost, codes):
    assert [code for code, _ in said(lost=lost)] == codes


@pytest.mark.parametrize(("n", "codes"), [(19, []), (20, ["large_cluster"])])
def test_a_cluster_is_named_with_what_stays(n, codes):
    found = said(clusters=[Group(n, ["Page not found. " * 20], kept_id="ab")])
    assert [code for code, _ in found] == codes
    for _, message in found:
        assert message.startswith("web: 20 (10 %) go as copies of ab: 'Page not found.")
        assert len(message) < 300 and "\n" not in message


def test_fewer_than_ten_documents_are_no_pattern():
    assert said(documents=10, lost=9, clusters=[Group(9, ["x"], kept_id="ab")]) == []


def test_one_text_is_named_once_with_its_share():
    texts = [f"{start} {LICENCE} {end}" for start, end in (("a", "b c"), ("d", "e f"))]
    found = said(shared=[Group(30, texts), Group(25, texts[::-1]), Group(19, texts)])
    assert found == [
        (
            "shared_text",
            "web: at least 30 (15 %) hold one text, 81% of each, and differ in the rest:"
            f" {LICENCE!r}",
        )
    ]


def test_what_two_texts_share_by_chance_is_not_named():
    assert common_run(["it is one of the a b c", "it is one of the d e f"]) is None
    assert common_run([LICENCE]) is None


def test_text_without_spaces_is_compared_by_characters():
    shared = "\u672c\u6587\u66f8\u306f\u8ab0\u3067\u3082\u4f7f\u3048\u307e\u3059" * 4
    texts = [shared + "\u4e00\u4e8c\u4e09\u56db", "\u4e94\u516d" + shared]
    assert common_run(texts) == (shared, pytest.approx((44 / 48 + 44 / 46) / 2))
