"""What the stage arms reads and writes, and what arms may not ask for; its work is stages/arms.py."""

from stages.faults.arm_faults import names_exist
from stages.foundation import artefacts
from stages.foundation.stage import Stage
from stages.images import unused_by_texts
from stages.searched.kinds import unused_without_searches
from stages.settings.arms import ArmsParams
from stages.settings.questions import Question


def checkpoints(params: ArmsParams | None) -> list[str]:
    """The user's trunks that questions go on from, as DVC dependencies."""
    questions = params.questions.values() if params else ()
    branches = [q.branch for q in questions if isinstance(q, Question)]
    return sorted({b.checkpoint for b in branches if b and b.checkpoint})


def clustered_inputs(params: ArmsParams | None) -> list[str]:
    """The texts, and saved models, that clusters are found with."""
    asked = params.clustered.values() if params else ()
    models = {question.model for question in asked if question.model}
    return [artefacts.POOLS, *sorted(models)] if asked else []


def unused_without_clusters(params: ArmsParams) -> list[str]:
    """How a card is held, which only the search for clusters may need."""
    return [] if params.clustered else ["stages.proxy.workforce.lease"]


def read_beside(params: ArmsParams | None) -> list[str]:
    """All that the stage reads of what no stage makes, and the texts."""
    return [*clustered_inputs(params), *checkpoints(params)]


stage = Stage(
    name="arms",
    params=ArmsParams,
    question="Which documents does each arm train on, in each resample of the pool?",
    agrees=names_exist,
    follows=("target", "sweep"),
    deps=(
        artefacts.PACKED_POOLS,
        artefacts.CLUSTERS,
        artefacts.LINE_COPIES,
        artefacts.SCORES,
    ),
    inputs=read_beside,
    outs=(artefacts.VIEWS, artefacts.TOPICS),
    tracked=(artefacts.ARMS, artefacts.LEDGER),
    metrics=(artefacts.ARMS_METRICS,),
    unused=lambda params: [
        *unused_by_texts(params),
        *unused_without_searches(params),
        *unused_without_clusters(params["arms"]),
    ],
    shown=f"`{artefacts.VIEWS}`, ledger",
)
