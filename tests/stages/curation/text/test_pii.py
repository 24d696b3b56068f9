import polars as pl
import pytest

from stages.curation.text.pii import EMAIL_MASK, IP_MASK, mask, masked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jane.doe+list@mail.example.co.uk.", f"Write to {EMAIL_MASK}."),
        ("<a@b.de>, c@d.fr;e@f.it", f"<{EMAIL_MASK}>, {EMAIL_MASK};{EMAIL_MASK}"),
        ("@decorator, user@host and 3 @ 4.50", "@decorator, user@host and 3 @ 4.50"),
        ("DNS 8.8.8.8 and 1.1.1.1.", f"DNS {IP_MASK} and {IP_MASK}."),
        (
            "Private 10.0.0.1, 192.168.1.1, 127.0.0.1 stay",
            "Private 10.0.0.1, 192.168.1.1, 127.0.0.1 stay",
        ),
        (
            "Version 1.2.3.4.5, 999.1.1.1 and 1.2.3 stay",
            "Version 1.2.3.4.5, 999.1.1.1 and 1.2.3 stay",
        ),
        ("Ünï@exämple.de", "Ünï@exämple.de"),
    ],
)
def test_what_is_masked(text, expected):
    assert mask(text)[0] == expected


def test_documents_keep_their_order_and_counts_are_given():
    frame = pl.DataFrame(
        {
            "id": ["a", "b", "c"],
            "text": ["x@y.org 8.8.4.4 9.9.9.9", "nothing", "10.0.0.1"],
            "n_chars": [23, 7, 8],
        }
    )
    table = masked(frame)
    assert table["masked_emails"].to_list() == [1, 0, 0]
    assert table["masked_ips"].to_list() == [2, 0, 0]
    assert table["text"].to_list()[1:] == ["nothing", "10.0.0.1"]
    assert (table["n_chars"] == table["text"].str.len_chars()).all()


def test_long_runs_of_address_characters_end():
    """A pattern that looks ahead without bound would need hours for these."""
    assert mask("a-" * 200_000 + "@")[1:] == (0, 0)
    assert mask("a@" + "b." * 200_000 + "c")[1:] == (1, 0)
