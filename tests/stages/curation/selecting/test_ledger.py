import polars as pl
import pytest

from stages.curation.reading.documents import documents
from stages.curation.selecting.ledger import COLUMNS, Count, Ledger, Unbalanced, merge


def two_steps():
    ledger = Ledger()
    ledger.add(
        "dedup",
        Count(10, 100),
        kept=Count(7, 80),
        dropped={"near": Count(2, 15), "exact": Count(1, 5)},
        pool="a",
    )
    ledger.add(
        "rules",
        Count(7, 80),
        kept=Count(7, 80),
        dropped={"short": Count(0, 0)},
        pool="a",
    )
    return ledger


def test_rows_say_in_kept_and_dropped_by_reason():
    frame = two_steps().frame()
    assert frame.columns == list(COLUMNS)
    rows = frame.select("step", "position", "status", "reason", "documents").rows()
    assert rows == [
        ("dedup", 0, "in", "", 10),
        ("dedup", 0, "kept", "", 7),
        ("dedup", 0, "dropped", "exact", 1),
        ("dedup", 0, "dropped", "near", 2),
        ("rules", 1, "in", "", 7),
        ("rules", 1, "kept", "", 7),
    ]


@pytest.mark.parametrize(
    ("before", "kept", "dropped", "message"),
    [
        (
            Count(10, 100),
            Count(7, 80),
            Count(2, 20),
            "pool a, step 'x': in 10 documents, but kept . dropped 9",
        ),
        (
            Count(10, 100),
            Count(8, 80),
            Count(2, 19),
            "in 100 characters, but kept . dropped 99",
        ),
        (
            Count(10, 100, 50),
            Count(8, 80, 40),
            Count(2, 20, 9),
            "in 50 tokens, but kept . dropped 49",
        ),
    ],
)
def test_a_step_must_add_up(before, kept, dropped, message):
    with pytest.raises(Unbalanced, match=message):
        Ledger().add("x", before, kept=kept, dropped={"why": dropped}, pool="a")


def test_a_step_must_start_where_the_last_one_ended():
    ledger = two_steps()
    with pytest.raises(
        Unbalanced, match="in 6 documents, but kept by the step before 7"
    ):
        ledger.add("late", Count(6, 80), kept=Count(6, 80), pool="a")
    # another pool starts afresh
    ledger.add("first", Count(3, 5), kept=Count(3, 5), pool="b")


def test_frames_are_counted_pool_by_pool():
    frame = pl.concat(
        [
            documents(["aa", "b", "c"], ["1", "2", "3"], "p"),
            documents(["d"], ["1"], "q"),
        ]
    )
    ledger = Ledger()
    kept = ledger.add_frames(
        "dedup", frame, frame[:1].select("id", reason=pl.lit("exact"))
    )
    assert kept.equals(frame[1:])
    table = ledger.frame()
    assert table.filter(pool="p", status="dropped").select(
        "reason", "documents", "characters"
    ).rows() == [("exact", 1, 2)]
    assert table.filter(pool="q", status="kept")["documents"].item() == 1


def test_tokens_are_counted_where_known():
    frame = documents(["aa", "b"], ["1", "2"], "p").with_columns(
        n_tokens=pl.Series([5, 7])
    )
    assert Count.of(frame) == Count(2, 3, 12)
    assert Count(1, 1, 1) + Count(1, 1) == Count(2, 2)


def test_merging_shards_adds_up_and_round_trips():
    total = merge([two_steps(), two_steps()])
    assert total.frame().filter(step="dedup", reason="near")["documents"].item() == 4
    assert Ledger.of(total.frame()).frame().equals(total.frame())
    assert merge([]).frame().height == 0


def test_a_tampered_table_is_refused():
    frame = (
        two_steps()
        .frame()
        .with_columns(
            documents=pl.col("documents") + (pl.col("reason") == "near").cast(pl.Int64)
        )
    )
    with pytest.raises(Unbalanced):
        Ledger.of(frame)
