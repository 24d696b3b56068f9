"""What the stage fit reads and writes; its work is stages/fit.py."""

from stages.fits.section import FitParams, is_measured
from stages.foundation import artefacts
from stages.foundation.stage import Stage
from stages.searched.kinds import unused_without_searches

stage = Stage(
    name="fit",
    params=FitParams,
    agrees=is_measured,
    unused=unused_without_searches,
    question=(
        "Which law carries these runs to larger compute, and with which uncertainty?"
    ),
    deps=(
        artefacts.MANIFEST,
        artefacts.RUNS,
        artefacts.HELD_OUT_LOSSES,
        artefacts.ARMS,
        artefacts.PACKED_HELD_OUT,
    ),
    outs=(artefacts.FITS,),
    metrics=(artefacts.FIT_METRICS,),
)
