"""dvc.yaml, written from the stage declarations and never by hand."""

from pathlib import Path
from typing import Any

import yaml

from stages.foundation import artefacts
from stages.foundation.files import whole_file
from stages.foundation.stage import Section, Stage, dvc_stage

HEADER = (
    "# Written by `assay dvc-yaml` from the stage declarations in stages/. Edit those,"
    " not this.\n"
)
PIPELINE_FILE = Path("dvc.yaml")


def pipeline_text(
    pipeline: tuple[Stage, ...], params: dict[str, Section], params_file: str
) -> str:
    """The whole of dvc.yaml for these stages and parameters, as text.

    params: from load_params. A stage that takes something from the target depends on the sections that it follows.
    """
    written = getattr(params, "written", frozenset(params))
    entries = {}
    for stage in pipeline:
        section = params[stage.name]
        entry = dvc_stage(stage, section, params)
        if params_file != "params.yaml":
            entry["cmd"] += f" --params {params_file}"
        names = [stage.name]
        if getattr(section, "target", None) is not None:
            names += [other for other in stage.follows if other in written]
        entry["params"] = (
            names if params_file == "params.yaml" else [{params_file: names}]
        )
        if stage.name not in written or not section.model_fields_set:
            # DVC fails on a section that the file lacks: name the whole file, so that one written later counts
            entry["params"] = [{params_file: None}]
        entries[stage.name] = entry
    document: dict[str, Any] = {
        "stages": entries,
        "plots": PLOTS,
        "artifacts": ARTIFACTS,
    }
    return HEADER + yaml.safe_dump(
        document, sort_keys=False, width=110, allow_unicode=True
    )


def write_pipeline_file(
    pipeline: tuple[Stage, ...], params: dict[str, Section], params_file: str
) -> bool:
    """Bring dvc.yaml up to date; True where it changed."""
    text = pipeline_text(pipeline, params, params_file)
    if PIPELINE_FILE.is_file() and PIPELINE_FILE.read_text("utf-8") == text:
        return False
    with whole_file(PIPELINE_FILE) as temporary:
        temporary.write_text(text, "utf-8")
    return True


PLOTS = [
    {
        artefacts.plot_table("loss_by_flops"): {
            "x": "flops",
            "y": "loss_nats",
            "template": "bands_log_x",
            "title": "Held-out loss against training FLOPs, by arm",
            "x_label": "training FLOPs (6ND)",
            "y_label": "held-out loss (nats a token)",
        }
    },
    {
        artefacts.plot_table("heldout_check"): {
            "x": "measured",
            "y": "predicted",
            "template": "scatter",
            "title": "Predicted against measured on the held-out rung",
        }
    },
    {
        artefacts.plot_table("advantage"): {
            "x": "flops",
            "y": "loss_difference_nats",
            "template": "bands_log_x",
            "title": "Loss of each arm less that of the base arm, by compute",
            "x_label": "training FLOPs (6ND)",
            "y_label": "difference (nats a token)",
        }
    },
    {
        artefacts.plot_table("retention"): {
            "x": "tokens",
            "y": "step",
            "template": "bar_horizontal",
            "title": "Tokens that reach each step",
        }
    },
]

ARTIFACTS = {
    "decision": {
        "path": artefacts.DECISIONS,
        "type": "decision",
        "desc": (
            "One JSON record a question: verdict, interval, flip budgets, law, runs and"
            " data hashes"
        ),
        "labels": ["curation", "scaling-law"],
    },
    "curated-views": {
        "path": artefacts.VIEWS,
        "type": "dataset",
        "desc": (
            "Every arm as document rows with weights, in every resample of the pool"
        ),
        "labels": ["curation"],
    },
    "proxy-runs": {
        "path": artefacts.RUNS,
        "type": "dataset",
        "desc": "The runs table: one row a finished run and checkpointed budget",
        "labels": ["proxy"],
    },
}
