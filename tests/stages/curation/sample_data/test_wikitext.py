import pytest

from stages.curation.sample_data.wikitext import plain_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("#REDIRECT [[Elsewhere]]", ""),
        ("'''Ada''' wrote a [[computer program|program]].", "Ada wrote a program."),
        ("A{{cite|x={{nested|[[y]]}}}}B", "AB"),
        ("Fact.<ref name=a>Source</ref> More.<ref name=a/>", "Fact. More."),
        ("[[File:a.jpg|thumb|A [[link|caption]] here]]Text", "Text"),
        (
            "See [http://example.org the site] and [http://example.org].",
            "See the site and .",
        ),
        ("Before\n{| class=x\n|-\n| cell\n|}\nAfter", "Before\n\nAfter"),
        (
            "Intro\n\n== Life ==\nBorn.\n\n== References ==\n* a\n",
            "Intro\n\nLife\n\nBorn.",
        ),
        ("* one\n* two", "one\ntwo"),
        ("a &amp; b<br/>c <!-- hidden --> d", "a & b\nc d"),
    ],
)
def test_markup_becomes_prose(markup, text):
    assert plain_text(markup) == text
