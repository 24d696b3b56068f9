"""The section `report`, and what its stage reads and writes; its work is stages/report.py."""

from pydantic import Field

from stages.foundation import artefacts
from stages.foundation.section import Section
from stages.foundation.stage import Stage
from stages.reporting.page import SCRIPT, SEARCHED_TEMPLATE, STYLE, TEMPLATE
from stages.searched.kinds import unused_without_searches


class ReportParams(Section):
    png_dpi: int = Field(
        140, ge=50, le=400, description="resolution of the PNG figures"
    )


stage = Stage(
    name="report",
    params=ReportParams,
    unused=unused_without_searches,
    question=(
        "What does a person need to see to act on the decisions, and to distrust them?"
    ),
    deps=(
        TEMPLATE,
        STYLE,
        SCRIPT,
        SEARCHED_TEMPLATE,
        artefacts.DECISIONS,
        artefacts.VERIFICATIONS,
        artefacts.CURVES,
        artefacts.RUNS,
        artefacts.SWEEP_METRICS,
        artefacts.LEDGER,
        artefacts.MANIFEST,
    ),
    outs=(artefacts.REPORT,),
    tracked=(artefacts.PLOTS,),
    shown=f"`{artefacts.PAGE}`",
)
