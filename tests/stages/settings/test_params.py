"""params.yaml: one clear line for every fault, with the file, the line and the dotted key."""

from pathlib import Path

import pytest
import yaml

from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.settings.curate import CurateSettings
from stages.settings.params import load_curate, load_params

GOOD = (ROOT / "params.yaml").read_text("utf-8")


def load(tmp_path: Path, text: str):
    file = tmp_path / "params.yaml"
    file.write_text(text)
    return load_params(file, PIPELINE)


def changed(section: str, **values) -> str:
    tree = yaml.safe_load(GOOD)
    tree[section] |= values
    return yaml.safe_dump(tree)


def test_the_committed_file_is_valid():
    assert set(load_params(ROOT / "params.yaml", PIPELINE)) == {
        stage.name for stage in PIPELINE
    }


@pytest.mark.parametrize(
    ("section", "values", "parts"),
    [
        ("arms", {"draws": 1}, ["arms.draws", "must be at least 2", "value 1"]),
        ("arms", {"drwas": 3}, ["arms.drwas", "unknown key", "did you mean 'draws'"]),
        (
            "arms",
            {"arms": {"strict": {"kep": 0.3}}},
            ["arms.arms.strict.kep", "unknown key", "did you mean 'keep'", "value 0.3"],
        ),
        (
            "ingest",
            {"pools": {"mine": {"path": "a.jsonl", "txt": "body"}}},
            ["ingest.pools.mine.txt", "unknown key", "did you mean 'text'"],
        ),
        (
            "sweep",
            {"regularisations": [{"wieght_decay": 1}]},
            ["sweep.regularisations.0.wieght_decay", "did you mean 'weight_decay'"],
        ),
        ("sweep", {"sizes": ["6k", "6q"]}, ["sweep.sizes: no proxy size '6q'"]),
        ("sweep", {"control_sizes": ["6q"]}, ["sweep.control_sizes: no proxy"]),
        ("fit", {"laws": ["chinchila"]}, ["fit.laws", "did you mean chinchilla"]),
        ("sweep", {"decay_fraction": "much"}, ["sweep.decay_fraction", "number"]),
        ("pack", {"vocab_size": 10}, ["pack.vocab_size", "must be at least 260"]),
        (
            "ingest",
            {"pools": {"mine": {"path": "a.jsonl", "extract": "news"}}},
            ["ingest.pools.mine", "exactly one of path"],
        ),
    ],
)
def test_a_fault_names_key_rule_and_value(tmp_path, section, values, parts):
    with pytest.raises(InputError) as error:
        load(tmp_path, changed(section, **values))
    message = str(error.value)
    assert "\n" not in message
    for part in [str(tmp_path / "params.yaml"), *parts]:
        assert part in message


def test_the_line_is_that_of_the_key(tmp_path):
    lines = GOOD.splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("  draws:"))
    lines[number] = "  draws: 0"
    with pytest.raises(InputError, match=f"params.yaml:{number + 1}: arms.draws"):
        load(tmp_path, "\n".join(lines))


def test_a_missing_section_and_a_missing_file(tmp_path):
    tree = yaml.safe_load(GOOD)
    del tree["sweep"], tree["target"]  # from a target it would follow
    with pytest.raises(InputError, match="sweep: is required"):
        load(tmp_path, yaml.safe_dump(tree))
    with pytest.raises(InputError, match="no such file"):
        load_params(tmp_path / "none.yaml", PIPELINE)


def test_bands_that_miss_what_is_alike_are_refused(tmp_path):
    tree = yaml.safe_load(GOOD)
    tree["dedup"] = {"threshold": 0.5}
    with pytest.raises(
        InputError, match="dedup: 20 bands of 6 rows meet 27% of the pairs at the"
    ):
        load(tmp_path, yaml.safe_dump(tree))
    tree["dedup"] = {"threshold": 0.5, "bands": 60, "rows": 4}
    assert load(tmp_path, yaml.safe_dump(tree))["dedup"].threshold == 0.5


def test_the_policy_bands_has_the_numbers_of_fineweb():
    dedup = CurateSettings.model_validate({"dedup": {"policy": "bands"}}).dedup
    assert (dedup.bands, dedup.rows) == (14, 8)
    dedup = CurateSettings.model_validate({"dedup": {"policy": "bands", "rows": 5}})
    assert (dedup.dedup.bands, dedup.dedup.rows) == (14, 5)


def test_a_section_with_a_default_for_everything_may_be_left_out(tmp_path):
    tree = yaml.safe_load(GOOD)
    del tree["dedup"]
    sections = load(tmp_path, yaml.safe_dump(tree))
    dedup = sections["dedup"]
    assert (dedup.shingle_words, dedup.bands, dedup.rows) == (5, 20, 6)
    assert sections["arms"].draws == tree["arms"]["draws"]


def test_broken_yaml_is_one_line(tmp_path):
    with pytest.raises(InputError, match="not readable as YAML"):
        load(tmp_path, "arms: [1, 2\nsweep: }")


def test_a_question_must_name_arms_that_exist(tmp_path):
    text = changed(
        "arms", questions={"q": {"title": "?", "arms": ["nothing", "at_all"]}}
    )
    with pytest.raises(InputError, match="question 'q' names the arm 'nothing'"):
        load(tmp_path, text)


def test_curate_may_stand_beside_the_stages_or_alone(tmp_path):
    assert set(load(tmp_path, GOOD + "\ncurate: {rules: gopher}\n")) == {
        stage.name for stage in PIPELINE
    }
    assert load_curate(tmp_path / "params.yaml").rules == "gopher"
    (tmp_path / "alone.yaml").write_text(
        "curate: {dedup: {policy: exact}, thresholds: {min_doc_words: 20, dup_5_gram:"
        " null}}"
    )
    settings = load_curate(tmp_path / "alone.yaml")
    assert settings.dedup.policy == "exact" and settings.rules == "fineweb"
    thresholds = settings.rule_thresholds()
    assert (thresholds.min_doc_words, thresholds.dup_5_gram, thresholds.dup_6_gram) == (
        20,
        None,
        0.14,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "curate: {rules: finweb}",
            (
                r"curate.rules: no document rule or rule set 'finweb'; sets are gopher,"
                r" c4, fineweb"
            ),
        ),
        (
            "curate:\n  dedup: {policy: fuzzy}",
            r"yaml:2: curate.dedup.policy: must be one of .*'near' or 'bands' \(value 'fuzzy'\)",
        ),
        (
            "curate:\n  thresholds:\n    min_doc_word: 3",
            (
                r"yaml:3: curate.thresholds.min_doc_word: unknown key; did you mean"
                r" 'min_doc_words'"
            ),
        ),
        (
            "curate: {thresholds: {words: spacy}}",
            "words must be one of datatrove, .*whitespace",
        ),
        (
            "curate: {part_chars: 5}",
            r"curate.part_chars: must be at least 1000 \(value 5\)",
        ),
        (
            "curate: {decontaminate: {files: []}}",
            r"curate.decontaminate.files: needs at least 1 entries",
        ),
        ("ingest: {}", "has no section 'curate'; add one, or leave out --params"),
    ],
)
def test_faults_of_the_section_curate(tmp_path, text, message):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_curate(tmp_path / "params.yaml")
    assert "\n" not in str(caught.value)
