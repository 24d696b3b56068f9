"""What each reason drops alone and in order, counted by hand, however the input was cut."""

import polars as pl

from stages.curate.work.steps import Step
from stages.curate.work.tally import EXAMPLES, SNIPPET_CHARS, Tally, merge

STEPS = [Step("rules", ("short", "loud"), {}, judge=None)]
TEXTS = ["a", "BB", "ccc", "DDDD", "e" * 500]
FRAME = pl.DataFrame(
    {
        "id": ["1", "2", "3", "4", "5"],
        "source": [f"f:{row}" for row in range(5)],
        "text": TEXTS,
        "n_chars": [len(text) for text in TEXTS],
    }
)
FAILS = pl.DataFrame(
    {
        "short": [True, True, False, False, False],
        "loud": [False, True, False, True, True],
    }
)
REASON = pl.Series(["short", "short", None, "loud", "loud"])


def counted(*places: slice) -> dict:
    tally = Tally(STEPS)
    for place in places:
        tally.add(FRAME[place], FAILS[place], REASON[place])
    return tally.as_json() | {"documents": tally.documents}


def test_alone_counts_every_failure_and_in_order_only_the_first():
    found = counted(slice(0, 5))
    assert (found["documents"], found["characters"]) == (5, 510)
    # documents and characters alone, then in order
    assert found["reasons"] == {"short": [2, 3, 2, 3], "loud": [3, 506, 2, 504]}


def test_examples_are_dropped_documents_cut_to_a_snippet():
    examples = counted(slice(0, 5))["examples"]
    assert {row[1] for row in examples["short"]} == {"1", "2"}
    snippets = {row[1]: row[3] for row in examples["loud"]}
    assert snippets == {"4": "DDDD", "5": "e" * SNIPPET_CHARS}


def test_batches_and_units_add_up_to_the_whole():
    whole = counted(slice(0, 5))
    assert counted(slice(0, 2), slice(2, 2), slice(2, 5)) == whole
    merged = merge([counted(slice(0, 3)), counted(slice(3, 5))])
    assert {key: merged[key] for key in whole} == whole


def fault(rows, first, rest):
    return {"rows": rows, "first": first, "rest": rest}


def test_faults_of_a_file_add_up_under_the_first_that_was_seen():
    nothing = {"reasons": {}, "examples": {}}
    parts = [
        nothing | {"bad_rows": 2, "faults": {"a": fault(2, "a:1", None)}},
        nothing | {"bad_rows": 1, "faults": {"a": fault(1, "a:9", "a: cut off")}},
    ]
    merged = merge(parts)
    assert merged["bad_rows"] == 3
    assert merged["faults"] == {"a": fault(3, "a:1", "a: cut off")}


def test_no_more_examples_are_kept_than_are_shown_and_they_are_the_same_ones():
    many = [
        {"reasons": {}, "examples": {"loud": [[place / 10, str(place), "s", "t"]]}}
        for place in (5, 1, 4, 2, 3)
    ]
    kept = [row[0] for row in merge(many)["examples"]["loud"]]
    assert kept == [0.1, 0.2, 0.3] and len(kept) == EXAMPLES
