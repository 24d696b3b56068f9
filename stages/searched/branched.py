"""The arms of questions about the last phase of a shared trunk, under names of their own.

Of a question `mid` between the arms `math` and `chat` on a trunk of `web`: mid-math and mid-chat, each with its
replay, mid-web, the control, whose data are the trunk's continued, and web-trunk, which the trunk is trained on. An
arm that is asked about in such questions alone is not trained from the start.
"""

from collections.abc import Mapping
from typing import Any

from stages.foundation.files import file_hash
from stages.settings.arms import Arm, ArmsParams, Control, Replay
from stages.settings.branches import BranchSettings
from stages.settings.questions import Question

TRUNK = "{}-trunk"  # the arm that trunks on another are trained on


def branched(name: str, question: Question, arms: Mapping[str, Arm]) -> dict[str, Arm]:
    """Designed arm -> its data; the control is the last of the question's, then what the trunk is trained on."""
    branch = question.branch
    assert branch is not None  # whoever asks has looked
    base = arms[branch.base]
    made = {
        arm_of(name, arm): _with_replay(arms[arm], base, branch.replay)
        for arm in question.arms
        if arm != branch.base
    }
    made[arm_of(name, branch.base)] = base
    if branch.checkpoint is None:
        made[trunk_arm(branch)] = base
    return made


def twins_of(name: str, question: Question, params: ArmsParams) -> dict[str, Control]:
    """Twins of the arms of a question about branches: they leave the same trunk, and meet their data in another order.

    Made of the controls of kind same that are like an arm of it.
    """
    assert question.branch is not None  # whoever asks has looked
    own = {*question.arms, question.branch.base}
    return {
        arm_of(name, control): settings.model_copy(
            update={"like": arm_of(name, settings.like)}
        )
        for control, settings in params.every_control.items()
        if settings.kind == "same" and settings.like in own
    }


def with_branches(params: ArmsParams) -> dict[str, Arm]:
    """The named arms, and those that questions about branches make of them."""
    found = dict(params.arms)
    for name, question in params.questions.items():
        if isinstance(question, Question) and question.branch is not None:
            found |= branched(name, question, params.arms)
    return found


def described(name: str, branch: BranchSettings) -> dict[str, Any]:
    """What arms.json says of a branch beside its settings: the control, and which file a trunk of the user's is."""
    found: dict[str, Any] = {"control": arm_of(name, branch.base)}
    if branch.checkpoint is None:
        return found | {"trunk_arm": trunk_arm(branch)}
    from stages.proxy.specs.checkpoint_file import read_header

    header = read_header(branch.checkpoint)
    return found | {
        "hash": file_hash(branch.checkpoint),
        "size": header.size(),
        "has_moments": header.has_moments,
        "at_tokens": branch.at_tokens or header.n_tokens or 0,
    }


def trunk_arm(branch: BranchSettings) -> str:
    """The name of the arm that the trunk is trained on."""
    return TRUNK.format(branch.base)


def arm_of(question: str, arm: str) -> str:
    """The name of an arm in a question about branches."""
    return f"{question}-{arm}"


def _with_replay(arm: Arm, base: Arm, share: float) -> Arm:
    if not share:
        return arm
    return arm.model_copy(update={"replay": Replay(share=share, of=base)})


def trained_whole(params: ArmsParams) -> tuple[dict[str, Arm], dict[str, Control]]:
    """The named arms and controls that are trained from the start.

    Left out are arms that only branches ask about; of their controls the twins, which are branches too, and those that
    are made of all arms.
    """
    questions = [q for q in params.questions.values() if isinstance(q, Question)]
    whole = {arm for q in questions if q.branch is None for arm in q.arms}
    branches = {
        arm for q in questions if q.branch for arm in (*q.arms, q.branch.base)
    } - whole
    controls = {
        name: control
        for name, control in params.every_control.items()
        if control.like not in branches
        or (control.kind != "same" and name in params.controls)
    }
    branches -= {control.like for control in controls.values() if control.like}
    arms = {name: arm for name, arm in params.arms.items() if name not in branches}
    return arms, controls
