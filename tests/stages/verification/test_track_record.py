"""Lines are added once, and the table counts what was claimed before it was seen."""

import json

import pytest

from stages.foundation.errors import InputError
from stages.verification.record import Verdict
from stages.verification.track_record import (
    append,
    claims_of,
    read_track_record,
    summary,
    track_record_faults,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data/track_record.jsonl"


def test_a_verification_is_a_line_a_run_and_a_line_a_lead(verification, path):
    append(path, claims_of(verification(), commit="abc"))
    claims = read_track_record(path)
    assert [(claim.claim, claim.arms, claim.inside) for claim in claims] == [
        ("value", ["a"], True),
        ("value", ["b"], True),
        ("value", ["a"], True),
        ("value", ["b"], False),
        ("lead", ["a", "b"], False),
        ("lead", ["a", "b"], True),
    ]
    first, *_, wrong, unsaid = claims
    assert (first.git_commit, first.times, first.seen_before) == ("abc", 2.0, False)
    assert (first.said, first.right) == (None, None)
    assert (wrong.said, wrong.right) == ("decided", False)
    assert (unsaid.said, unsaid.right) == (None, None)


def test_the_same_verification_adds_nothing(verification, path):
    assert len(append(path, claims_of(verification(), commit="abc"))) == 6
    before = path.read_text()
    assert append(path, claims_of(verification(), commit="def")) == []
    assert path.read_text() == before


def test_a_later_decision_on_the_same_runs_is_kept_and_not_counted(verification, path):
    append(path, claims_of(verification(), commit="abc"))
    once = summary(read_track_record(path))
    later = verification(decision="second")
    assert all(each.seen_before for each in append(path, claims_of(later, "def")))
    assert len(read_track_record(path)) == 12
    assert summary(read_track_record(path)) == once


def test_the_table_counts_by_distance_and_over_all(verification, path):
    append(path, claims_of(verification(), commit=None))
    twice, eight, all_of_them = summary(read_track_record(path))
    assert twice == {
        "times fitted": "2",
        "runs": 2,
        "mean error %": 1.0,  # 0 and 2 %
        "inside %": 100.0,
        "leads": 1,
        "leads inside %": 0.0,
        "order right %": 0.0,
        "decided right": 0,
        "decided wrong": 1,
    }
    assert (eight["times fitted"], eight["inside %"]) == ("8", 50.0)
    assert eight["mean error %"] == pytest.approx(100 * (0.02 + 0.2 / 4.2) / 2, abs=0.1)
    assert (eight["order right %"], eight["decided right"]) == (100.0, 0)
    assert all_of_them == {
        "times fitted": "all",
        "runs": 4,
        "mean error %": pytest.approx(100 * (0.02 + 0.02 + 0.2 / 4.2) / 4, abs=0.1),
        "inside %": 75.0,
        "leads": 2,
        "leads inside %": 50.0,
        "order right %": 50.0,
        "decided right": 0,
        "decided wrong": 1,
    }


def test_a_budget_that_was_decided_is_one_whatever_it_led(verification, path):
    lead = verification().leads[1]
    verdict = verification().verdicts[0]
    two = [lead, lead.model_copy(update={"against": "c", "run_ids": ["a-8", "c-8"]})]
    said = Verdict(**verdict.model_dump() | {"flops": 8e9, "times": 8, "right": True})
    append(path, claims_of(verification(leads=two, verdicts=[said]), commit=None))
    *_, total = summary(read_track_record(path))
    assert (total["leads"], total["decided right"], total["decided wrong"]) == (2, 1, 0)


def test_budgets_between_powers_of_two_go_with_the_nearest(verification, path):
    near = [verification().runs[0].model_copy(update={"times": 1.84})]
    append(path, claims_of(verification(runs=near, leads=[]), commit=None))
    assert [row["times fitted"] for row in summary(read_track_record(path))] == [
        "2",
        "all",
    ]


def test_without_a_verification_the_file_is_there_and_empty(path):
    assert read_track_record(path) == []
    assert append(path, []) == []
    assert path.read_text() == ""
    assert summary(read_track_record(path)) == []


def test_a_line_that_is_no_claim_is_named(verification, path):
    append(path, claims_of(verification(), commit=None))
    lines = path.read_text().splitlines()
    broken = json.loads(lines[1]) | {"inside": "perhaps"}
    path.write_text("\n".join([lines[0], json.dumps(broken)]) + "\n")
    with pytest.raises(InputError, match=r"track_record\.jsonl:2: no verified claim"):
        read_track_record(path)


@pytest.mark.parametrize(
    "harm",
    [
        lambda line: line.replace(b'"inside": true', b'"inside": false'),
        lambda line: line.replace(b'"times": ', b'"times": 1'),
        lambda line: line[: len(line) * 2 // 3],
        lambda line: b"\xff" + line,
        lambda line: bytes(len(line)),
        lambda line: b"[" * 100_000,
        lambda line: b"null",
        lambda line: b"[1]",
    ],
    ids=["verdict", "digit", "cut", "no UTF-8", "zeros", "deep", "null", "list"],
)
def test_a_damaged_line_is_named_and_nothing_is_added_to_it(verification, path, harm):
    append(path, claims_of(verification(), commit=None))
    lines = path.read_bytes().splitlines()
    lines[2] = harm(lines[2])
    path.write_bytes(b"\n".join(lines) + b"\n")
    before = path.read_bytes()
    with pytest.raises(InputError) as refused:
        append(path, claims_of(verification(decision="second"), commit=None))
    said = str(refused.value)
    assert "track_record.jsonl:3" in said and "take the line out" in said
    assert len(said.splitlines()) == 1 and path.read_bytes() == before
    assert track_record_faults(path) == [said]


def test_lines_of_older_versions_have_no_hash_and_count(verification, path):
    append(path, claims_of(verification(), commit=None))
    claims = read_track_record(path)
    old = [claim.model_dump_json() + "\n" for claim in claims]
    path.write_text("".join(old))
    assert read_track_record(path) == claims and track_record_faults(path) == []


def test_no_track_record_has_no_fault(path):
    assert track_record_faults(path) == []
