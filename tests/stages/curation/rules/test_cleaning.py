import pytest

from stages.curation.reading.documents import documents
from stages.curation.rules.cleaning import c4_cleaned, refinedweb_cleaned


def cleaned(rewrite, *texts, **options):
    frame = documents(texts, [str(i) for i in range(len(texts))], "p")
    return rewrite(frame, **options).select("text", "lines_dropped", "dropped").rows()


GOOD = "This line is long enough to stay. It holds two sentences!"


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("no end mark here", None),
        ("It trails off...", None),
        ("Two words.", None),
        ("Please enable Javascript to go on.", None),
        ("We use cookies on this site.", None),
        ("word " + "x" * 1001 + " end.", None),
        ("  It is known.[12] [citation needed]End it?", "It is known. End it?"),
        ('He said "yes, of course."', 'He said "yes, of course."'),
        ("It ends in a citation.[3]", "It ends in a citation."),
    ],
)
def test_c4_drops_lines_and_strips_citations(line, left):
    kept = [GOOD, GOOD, *([left] if left else []), GOOD]
    (row,) = cleaned(c4_cleaned, "\n".join([GOOD, GOOD, "", line, GOOD]))
    assert row == ("\n".join(kept), 0 if left else 1, None)


def test_c4_drops_documents():
    page = "\n".join([GOOD] * 3)
    assert cleaned(c4_cleaned, GOOD)[0][2] == "too_few_sentences"
    assert (
        cleaned(c4_cleaned, f"{page}\nThen lorem ipsum came along.")[0][2]
        == "lorem_ipsum"
    )
    assert (
        cleaned(c4_cleaned, f"{page}\nif (x) {{ return y. }} now.")[0][2]
        == "curly_bracket"
    )
    assert (
        cleaned(c4_cleaned, f"{page}\nif (x) {{ in a line that goes anyhow")[0][2]
        is None
    )
    assert cleaned(c4_cleaned, f"{page}\nlorem ipsum, two.[3] Or")[0][2] is None
    assert (
        cleaned(c4_cleaned, f"{page}\nif (x) {{ in a line that stays", any_end=True)[0][
            2
        ]
        == "curly_bracket"
    )


def test_refinedweb_cuts_lines_and_judges_how_much_was_cut():
    words = "some words of plain text " * 20
    lines = [
        words,
        "ALL IN CAPITALS HERE",
        "",
        "12345",
        "3,000 likes!",
        "Word",
        "Sign-in to go on",
        "Click to read more...",
        "Some 3 likes it had",
    ]
    ((text, dropped, reason),) = cleaned(refinedweb_cleaned, "\n".join(lines))
    assert text == f"{words}\n\nSome 3 likes it had"
    assert (dropped, reason) == (6, "removed_words")
    assert cleaned(refinedweb_cleaned, "\n".join([words * 5, *lines]))[0][2] is None


def test_a_document_does_not_depend_on_its_neighbours():
    texts = [
        GOOD,
        "",
        "Naïve café, “quoted” and so on.\nTWO\n\nThree",
        "\n".join([GOOD] * 4),
    ]
    for rewrite in (c4_cleaned, refinedweb_cleaned):
        assert cleaned(rewrite, *texts) == [
            row for text in texts for row in cleaned(rewrite, text)
        ]
    assert cleaned(c4_cleaned) == []
