"""What is derived from a stage declaration."""

from stages.foundation.stage import ROOT, code_deps, dvc_stage, imported_modules
from stages.pipeline import PIPELINE


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


def test_the_runs_folder_survives_reruns_and_decisions_belong_to_git():
    sweep = dvc_stage(stage_named("sweep"), None)
    assert {"data/sweep/runs": {"persist": True}} in sweep["outs"]
    decide = dvc_stage(stage_named("decide"), None)
    assert {"data/decisions": {"cache": False}} in decide["outs"]
    assert decide["cmd"] == "python -m stages decide"
    verify = dvc_stage(stage_named("verify"), None)
    track_record = {"data/track_record.jsonl": {"cache": False, "persist": True}}
    assert track_record in verify["outs"]
