"""What differs between experiments, by stage, without files and without what is the same in all."""

from flows.reporting.experiments import rows_of


def test_only_what_differs_is_shown():
    same = {"fit.seed": 1, "filter.law": "chinchilla", "typ": "x"}
    workspace = same | {
        "Experiment": None,
        "decide.level": 0.9,
        "sweep.lr": 0.01,
        "filter.flips": 3,
        "stages/decide.py": "abc",
    }
    changed = {"decide.level": 0.8, "filter.flips": 2, "stages/decide.py": "def"}
    baseline = workspace | {"rev": "main"}
    narrow = workspace | changed | {"Experiment": "narrow"}
    queued = workspace | {
        "Experiment": "wide",
        "sweep.lr": 0.0123456,
        "filter.flips": None,
    }
    assert rows_of([workspace, baseline, narrow, queued]) == [
        {
            "experiment": "workspace",
            "params": "decide: level=0.9; sweep: lr=0.01",
            "metrics": "filter.flips=3",
        },
        {
            "experiment": "narrow",
            "params": "decide: level=0.8; sweep: lr=0.01",
            "metrics": "filter.flips=2",
        },
        {
            "experiment": "wide",
            "params": "decide: level=0.9; sweep: lr=0.01235",
            "metrics": "filter.flips=-",
        },
    ]
    assert rows_of([]) == []
