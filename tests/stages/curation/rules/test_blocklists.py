import polars as pl
import pytest

from stages.curation.reading.documents import documents
from stages.curation.rules.blocklists import bad_word_counts, url_measures
from stages.curation.rules.list_files import UrlLists, read_list, url_lists
from stages.curation.rules.rules import Thresholds, rule_table
from stages.foundation.errors import InputError

LISTS = UrlLists(
    domains=frozenset({"bad.org", "evil.co.uk"}),
    urls=frozenset({"https://good.org/one"}),
    words=frozenset({"casino"}),
    soft_words=frozenset({"win", "free", "bonus"}),
    substrings=frozenset({"xxxvid"}),
)


@pytest.mark.parametrize(
    ("url", "held"),
    [
        ("https://good.org/page", ()),
        ("http://bad.org", ("url_domains",)),
        ("https://user@Sub.BAD.org:80/x?y#z", ("url_domains",)),
        ("//a.evil.co.uk/", ("url_domains",)),
        ("https://notbad.org/", ()),
        ("https://good.org/?u=bad.org/", ()),
        ("https://good.org/one", ("url_addresses",)),
        ("https://good.org/best-Casino/", ("url_words",)),
        ("https://good.org/casinos/", ()),
        ("https://good.org/free_bonus-free", ("url_soft_words",)),
        ("https://good.org/free", ()),
        ("https://good.org/xxx-vid.mp4", ("url_substrings",)),
        (None, ()),
    ],
)
def test_what_each_url_breaks(url, held):
    frame = documents(["text"], ["1"], "p").with_columns(
        pl.Series("url", [url], dtype=pl.String)
    )
    row = rule_table(frame, Thresholds(url_lists=LISTS), "url").row(0, named=True)
    assert (
        tuple(
            name
            for name in url_measures(frame["url"], LISTS)
            if not row[f"pass_{name}"]
        )
        == held
    )
    assert row["first_failed"] == (held[0] if held else None)


def test_bad_words_are_whole_words_and_phrases_of_any_case():
    texts = [
        "Darn it!",
        "darning",
        "Blast the thing; blast. The end",
        "blast them, the thing",
        "これは禁止語です",
        "",
        "darn",
    ]
    assert bad_word_counts(
        pl.Series(texts), {"darn", "blast the", "禁止"}
    ).tolist() == [1, 0, 2, 0, 1, 0, 1]


def test_a_phrase_does_not_reach_into_the_next_document():
    assert bad_word_counts(
        pl.Series(["the blast", "the end"]), {"blast the"}
    ).tolist() == [0, 0]


def test_lists_come_from_the_users_files(tmp_path):
    (tmp_path / "words.txt").write_text(
        "# mine\nDarn\n\nblast it # both words\n", "utf-8"
    )
    assert read_list(tmp_path / "words.txt") == {"darn", "blast it"}
    assert url_lists(words=tmp_path / "words.txt").words == {"darn", "blast it"}
    thresholds = Thresholds(bad_words=read_list(tmp_path / "words.txt"))
    table = rule_table(
        documents(["Darn.", "Fine."], ["1", "2"], "p"), thresholds, ["c4_bad_words"]
    )
    assert table["first_failed"].to_list() == ["c4_bad_words", None]


@pytest.mark.parametrize("content", [None, b"", b"# nothing\n", b"\xff\xfe"])
def test_a_list_that_cannot_be_used_is_named(tmp_path, content):
    file = tmp_path / "list.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match="list.txt"):
        read_list(file)


def test_a_rule_without_its_list_says_what_it_needs():
    frame = documents(["text"], ["1"], "p")
    with pytest.raises(
        InputError,
        match=(
            "c4_bad_words needs the measure bad_words; give bad_words in the thresholds"
        ),
    ):
        rule_table(frame, rules=["c4_bad_words"])
    with pytest.raises(InputError, match="no column url"):
        rule_table(frame, Thresholds(url_lists=LISTS), "url")
