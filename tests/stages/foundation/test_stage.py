"""What is derived from a stage declaration."""

import pytest
import yaml

from stages.foundation.stage import (
    ROOT,
    code_deps,
    deferred_imports,
    dvc_stage,
    imported_modules,
)
from stages.pipeline import PIPELINE
from stages.settings.params import load_params


def stage_named(name):
    return next(stage for stage in PIPELINE if stage.name == name)


def test_every_dependency_is_made_by_an_earlier_stage_or_committed():
    made = set()
    for stage in PIPELINE:
        for dep in stage.deps:
            inside = any(dep == path or dep.startswith(f"{path}/") for path in made)
            assert inside or (ROOT / dep).is_file(), (
                f"{stage.name} needs {dep}, which nothing makes before it"
            )
        made |= set(stage.products)


def test_no_two_stages_make_the_same_path():
    products = [path for stage in PIPELINE for path in stage.products]
    assert len(products) == len(set(products))


def test_relative_imports_are_followed():
    assert ROOT / "stages/laws/interface/law.py" in imported_modules(
        ROOT / "stages/laws/size_and_compute/chinchilla.py"
    )


def test_deciding_does_not_depend_on_the_trainer_nor_training_on_laws():
    assert "stages/proxy/training/train.py" not in code_deps(stage_named("decide"))
    assert not [path for path in code_deps(stage_named("sweep")) if "laws" in path]


PLUMBING = (
    *("artefacts.py", "stage.py", "errors.py", "one_line.py", "files.py"),
    *("hashes.py", "sealed.py", "section.py"),
)
LAWS = {"laws"}
TRAINER = {"proxy", "settings", "sweeping"}
FOLDERS = {
    "ingest": {"curation", "images", "pools", "settings"},
    "dedup": {"curation", "declarations", "images", "pools", "proxy", "settings"},
    "pack": {"curation", "declarations", "images", "pools", "proxy", "settings"},
    "score": {
        *("curation", "declarations", "images", "pool_scores", "pools", "proxy"),
        "settings",
    },
    "arms": {"curation", "searched", "settings", "target"},
    "sweep": {"images", "runs", "target", *TRAINER},
    "fit": {
        *("decision", "fits", "images", "judges", "presentation", "proxy", "runs"),
        "searched",
        *LAWS,
    },
    "decide": {
        *("answers", "judges", "searched"),
        *("curation", "decision", "presentation", "runs", "settings", "target"),
        *LAWS,
    },
    "verify": {
        *("curation", "decision", "images", "presentation", "runs", "target"),
        *("searched", "verification"),
        *(*LAWS, *TRAINER),
    },
    "report": {
        *("decision", "presentation", "reporting", "runs", "searched", "verification"),
        "declarations",
        *LAWS,
    },
}
# of the trainer, what only reads and writes tokens on disk
PACKED = {"stages/proxy/tokens/packed.py"}


def params_with(tmp_path, **sections):
    """All sections of params.yaml with these changes."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    for name, changes in sections.items():
        values[name] = values[name] | changes
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    return load_params(tmp_path / "params.yaml", PIPELINE)


def code_of(name, params):
    stage = stage_named(name)
    entry = dvc_stage(stage, params[name], params)
    return {path for path in entry["deps"] if path.startswith("stages/")}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_stage_depends_on_these_folders(name, tmp_path):
    code = code_of(name, params_with(tmp_path))
    folders = {path.split("/")[1] for path in code if path.count("/") > 1}
    assert folders - {"foundation"} == FOLDERS[name]
    if name not in ("sweep", "verify", "pack"):
        assert {path for path in code if path.startswith("stages/proxy")} <= PACKED


def test_the_trainer_counts_where_a_proxy_reads_the_documents(tmp_path):
    trainer = "stages/proxy/training/train.py"
    read = params_with(tmp_path, dedup={"semantic": {"reader": "data/readers/25k"}})
    assert trainer in code_of("dedup", read)
    assert trainer not in code_of("score", read)
    words = params_with(tmp_path, dedup={"semantic": {"eps": 0.02}})
    assert trainer not in code_of("dedup", words)
    for kind, counts in (("proxy", True), ("nearest", True), ("ngram", False)):
        asked = params_with(tmp_path, score={"extra": {"mine": {"kind": kind}}})
        assert (trainer in code_of("score", asked)) == counts


def test_image_proxies_count_where_the_pools_hold_images():
    params = load_params(ROOT / "docs/digits.yaml", PIPELINE)
    assert "stages/proxy/images/train.py" in code_of("sweep", params)
    assert "stages/proxy/images/observe.py" in code_of("score", params)


def test_an_import_that_a_stage_says_nothing_of_always_counts(tmp_path):
    """Whatever stands in a function is a dependency, but what is declared as unused."""
    params = params_with(tmp_path)
    for stage in PIPELINE:
        code = code_of(stage.name, params)
        known = {ROOT / path for path in code if path.endswith(".py")}
        unused = stage.unused(params)
        for file in known:
            for lost in deferred_imports(file) - known:
                name = ".".join(lost.relative_to(ROOT).with_suffix("").parts)
                assert lost.name in ("__init__.py", *PLUMBING) or any(
                    name.startswith(part) for part in unused
                ), (stage.name, file, lost)


def test_what_functions_and_types_import_is_deferred(tmp_path):
    file = ROOT / "stages/pool_scores/proxy_scores.py"
    deferred = deferred_imports(file)
    assert ROOT / "stages/proxy/readers/reader.py" in deferred
    assert ROOT / "stages/pool_scores/proxy_scores.py" not in deferred
    assert not deferred_imports(ROOT / "stages/foundation/section.py")


def test_the_runs_folder_survives_reruns_and_decisions_belong_to_git():
    sweep = dvc_stage(stage_named("sweep"), None)
    assert {"data/sweep/runs": {"persist": True}} in sweep["outs"]
    decide = dvc_stage(stage_named("decide"), None)
    assert {"data/decisions": {"cache": False}} in decide["outs"]
    assert decide["cmd"] == "python -m stages decide"
    verify = dvc_stage(stage_named("verify"), None)
    track_record = {"data/track_record.jsonl": {"cache": False, "persist": True}}
    assert track_record in verify["outs"]
