"""Files that params.yaml names are missed before any work, in one line with key and value."""

from typing import Any

import pytest
import yaml

from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.settings.params import load_params

GONE = "not/there"
SCORES: dict[str, dict[str, Any]] = {
    "saved": {"kind": "saved", "folder": GONE},
    "column": {"kind": "column", "column": "c", "files": {"news": GONE}},
    "nearest": {"kind": "nearest", "model": GONE},
}
CLUSTERED = {"kind": "mixture", "over": "clusters", "model": GONE}
POOL = {"path": GONE, "heldout": 0.1}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads the project's params.yaml with one value set, and looks for files of these stages."""
    monkeypatch.chdir(tmp_path)

    def loaded(dotted: str, value: Any, *, stages=PIPELINE):
        tree = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
        *path, last = dotted.split(".")
        node = tree
        for key in path:
            node = node.setdefault(key, {})
        node[last] = value
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
        return load_params("params.yaml", PIPELINE, files_of=stages)

    return loaded


@pytest.mark.parametrize(
    ("dotted", "value", "named"),
    [
        ("ingest.pools.mine", POOL, "ingest.pools.mine.path"),
        ("ingest.pools.mine", POOL | {"path": ["b/*.gz"]}, "ingest.pools.mine.path.0"),
        ("ingest.removed", [GONE], "ingest.removed.0"),
        ("dedup.semantic", {"model": GONE}, "dedup.semantic.model"),
        ("dedup.semantic", {"reader": GONE}, "dedup.semantic.reader"),
        ("pack.tokenizer", GONE, "pack.tokenizer"),
        ("score.bad_words", GONE, "score.bad_words"),
        ("score.decontaminate", {"files": [GONE]}, "score.decontaminate.files.0"),
        ("score.extra.a", SCORES["saved"], "score.extra.a.folder"),
        ("score.extra.a", SCORES["column"], "score.extra.a.files.news"),
        ("score.extra.a", SCORES["nearest"], "score.extra.a.model"),
        ("arms.questions.mix", CLUSTERED, "arms.questions.mix.model"),
        ("sweep.items", GONE, "sweep.items"),
    ],
)
def test_a_file_that_is_not_there_is_named_by_its_key(load, dotted, value, named):
    with pytest.raises(InputError) as error:
        load(dotted, value)
    line = str(error.value)
    assert line.count("\n") == 0 and f": {named}: no such file or folder; " in line
    assert line.endswith((f"(value {GONE!r})", "(value 'b/*.gz')"))


def test_files_that_are_there_and_those_of_stages_done_are_not_missed(load, tmp_path):
    (tmp_path / "t.json").write_text("{}")
    load("pack.tokenizer", "t.json")
    load("ingest.pools.mine", {"path": "s3://bucket/a.parquet", "heldout": 0.1})
    after = [stage for stage in PIPELINE if stage.name in ("fit", "decide")]
    load("pack.tokenizer", GONE, stages=after)


def test_the_files_of_the_projects_own_settings_are_there():
    load_params(ROOT / "params.yaml", PIPELINE, files_of=PIPELINE)
