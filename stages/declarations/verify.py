"""What the stage verify reads and writes, and what its section may not name; its work is stages/verify.py."""

from typing import Any

from stages.foundation import artefacts
from stages.foundation.stage import Stage
from stages.searched.kinds import unused_without_searches
from stages.settings.verify import VerifyParams


def questions_exist(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where the section names what is no question: the keys and the fault."""
    questions = params["arms"].questions
    for name in params["verify"].questions or []:
        if name not in questions:
            known = ", ".join(questions)
            return ["verify", "questions"], f"no question {name!r}; there are {known}"
    return None


stage = Stage(
    name="verify",
    params=VerifyParams,
    agrees=questions_exist,
    unused=unused_without_searches,
    question=("Does what was decided hold beyond the compute that it was fitted to?"),
    deps=(
        artefacts.DECISIONS,
        artefacts.FITS,
        artefacts.ARMS,
        artefacts.VIEWS,
        artefacts.RUNS,
        artefacts.RUN_FILES,
        artefacts.PACKED_POOLS,
        artefacts.PACKED_HELD_OUT,
        artefacts.MANIFEST,
    ),
    outs=(artefacts.VERIFY_RUNS,),
    tracked=(artefacts.VERIFICATIONS,),
    resumable=(artefacts.VERIFY_RUN_FILES,),
    kept=(artefacts.TRACK_RECORD,),
    metrics=(artefacts.VERIFY_METRICS,),
    shown=f"`{artefacts.verification('<question>')}`, `{artefacts.TRACK_RECORD}`",
)
