"""dvc.yaml says how each stage is run and which parameters make it stale."""

import yaml

from stages.foundation.dvc_file import (
    HEADER,
    PIPELINE_FILE,
    pipeline_text,
    write_pipeline_file,
)
from stages.foundation.section import Section
from stages.foundation.stage import Stage
from stages.pipeline import PIPELINE


class Oven(Section):
    heat: float = 180.0


# a name under which there is a stage file to read the imports from
STAGE = Stage(name="dedup", params=Oven, question="Done?", deps=("in",), outs=("out",))


def entry(section: Oven, params_file: str = "params.yaml") -> dict:
    text = pipeline_text((STAGE,), {"dedup": section}, params_file)
    assert text.startswith(HEADER)
    return yaml.safe_load(text)["stages"]["dedup"]


def test_a_stage_depends_on_its_section_of_the_parameters():
    found = entry(Oven(heat=200))
    assert found["cmd"] == "python -m stages dedup"
    assert found["params"] == ["dedup"]
    assert "in" in found["deps"] and "stages/dedup.py" in found["deps"]
    assert found["outs"] == ["out", "data/hashes/dedup.json"]


def test_another_file_of_parameters_is_handed_on_and_watched():
    found = entry(Oven(heat=200), "mine.yaml")
    assert found["cmd"] == "python -m stages dedup --params mine.yaml"
    assert found["params"] == [{"mine.yaml": ["dedup"]}]


def test_a_section_that_is_not_written_is_watched_for_in_the_whole_file():
    assert entry(Oven())["params"] == [{"params.yaml": None}]
    assert entry(Oven(), "mine.yaml")["params"] == [{"mine.yaml": None}]


def test_plots_and_artifacts_are_products_of_the_pipeline():
    document = yaml.safe_load(pipeline_text((), {}, "params.yaml"))
    named = [path for plot in document["plots"] for path in plot]
    named += [artifact["path"] for artifact in document["artifacts"].values()]
    products = [path for stage in PIPELINE for path in stage.products]
    for path in named:
        assert any(path == made or path.startswith(f"{made}/") for made in products)


def test_the_file_is_written_only_where_it_differs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert write_pipeline_file((STAGE,), {"dedup": Oven()}, "params.yaml")
    before = PIPELINE_FILE.stat().st_mtime_ns
    assert not write_pipeline_file((STAGE,), {"dedup": Oven()}, "params.yaml")
    assert PIPELINE_FILE.stat().st_mtime_ns == before
    assert write_pipeline_file((STAGE,), {"dedup": Oven(heat=1)}, "params.yaml")
    assert [file.name for file in tmp_path.iterdir()] == ["dvc.yaml"]
