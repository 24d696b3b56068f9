"""A decision made again from what it names is the same byte for byte; what keeps it from being so is named."""

import json

import pytest

from stages import decide as module
from stages.decide import DecideParams
from stages.decision.record import read_decision
from stages.foundation.errors import InputError, RefusedError
from stages.foundation.sealed import read_sealed, write_sealed
from stages.lineage.remade import difference, remade

TARGETS = [3e7, 1e8, 3e8]


@pytest.fixture
def record(fitted_folder, monkeypatch):
    """The path of a decision, with the current folder around it."""
    monkeypatch.chdir(fitted_folder)
    module.run(DecideParams(target_flops=TARGETS, level=0.8))
    return fitted_folder / "data/decisions/filter.json"


def test_the_same_bytes_come_again_wherever_the_record_lies(record, tmp_path):
    before = record.read_bytes()
    made, content = remade(record)
    assert content == before == record.read_bytes()
    assert made == read_decision(record)
    aside = tmp_path / "kept.json"
    aside.write_bytes(before)
    record.unlink()
    assert remade(aside)[1] == before


def test_it_names_the_files_and_the_parameters_that_it_was_made_of(record):
    provenance = read_decision(record).provenance
    assert list(provenance.inputs) == [
        "data/fit/filter.json",
        "data/fit/filter-refits.json",
        "data/fit/filter.parquet",
        "data/arms/arms.json",
        "data/arms/views.parquet",
        "data/sweep/runs.parquet",
    ]
    assert provenance.params["decide"]["target_flops"] == TARGETS
    assert provenance.params["decide"]["level"] == 0.8


def test_a_changed_or_missing_input_is_named(record):
    arms = read_sealed("data/arms/arms.json", "")
    arms["questions"]["filter"]["title"] = "How strict then?"
    write_sealed("data/arms/arms.json", arms)
    with pytest.raises(RefusedError, match=r"again: data/arms/arms\.json changed$"):
        remade(record)
    (record.parents[1] / "fit/filter.parquet").unlink()
    with pytest.raises(RefusedError, match=r"filter\.parquet is missing, data/arms"):
        remade(record)


def test_a_record_that_was_edited_is_not_what_its_inputs_give(record):
    value = json.loads(record.read_text())
    value.pop("content_hash")
    value["sentence"] = "Keep everything."
    value["provenance"]["versions"]["numpy"] = "0.1"
    write_sealed(record, value)
    with pytest.raises(
        RefusedError, match=r"differs: first in sentence, numpy was 0\.1 and is"
    ):
        remade(record)


def test_an_older_record_says_how_it_is_made_anew(record):
    value = json.loads(record.read_text())
    value.pop("content_hash")
    for name in ("inputs", "params", "sources", "code"):
        value["provenance"].pop(name)
    write_sealed(record, value)
    with pytest.raises(InputError, match="does not name what it was made of"):
        remade(record)


def test_rounding_is_told_from_another_answer(record):
    made = read_decision(record)
    lead = made.targets[0].lead

    def moved(by):
        target = made.targets[0].model_copy(update={"lead": (lead[0] * by, *lead[1:])})
        return made.model_copy(update={"targets": [target, *made.targets[1:]]})

    assert difference(made, moved(1 + 1e-14)).startswith(
        "first in targets, and numbers alone, by 1e-14 of themselves at most"
    )
    assert "numbers alone" not in difference(made, moved(1.01))
    assert "numbers alone" not in difference(made, made)
