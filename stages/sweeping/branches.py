"""Trunks and branches of the questions about the last phase of a run: specs, order of training, files of weights.

A trunk is a run of its own at a constant rate, one a size, setting and resample, shared by all questions that ask for
the same. Its branches are runs that go on from its weights, each of its own arm, stacked as any runs are.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.foundation import artefacts
from stages.foundation.errors import ParamsError
from stages.foundation.files import file_hash
from stages.foundation.sealed import set_aside
from stages.proxy.specs.branch import Branch
from stages.proxy.specs.checkpoint_file import read_header
from stages.proxy.specs.shape import whole_batches
from stages.proxy.specs.spec import RunSpec
from stages.runs.run_files import SWEPT, RunFolder, is_finished
from stages.settings.sweep import SweepParams
from stages.sweeping.views import TOKENIZER, Views, proxy_data

if TYPE_CHECKING:
    from stages.proxy.training.data import ProxyData

log = logging.getLogger("assay")
Trunk = dict[str, Any]
# of the order in which a branch meets its documents: replay is no second reading of where the trunk began
BRANCH_SEED = 500_000


def branch_questions(arms: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Question -> what data/arms/arms.json says of it, of those whose arms are branches."""
    asked = arms.get("questions", {})
    return {name: each for name, each in asked.items() if each.get("branch")}


def arms_of_branches(arms: Mapping[str, Any]) -> set[str]:
    """Arms that are trained in branches, or as the trunk of some, and not from the start."""
    found: set[str] = set()
    for question in branch_questions(arms).values():
        trunk = question["branch"].get("trunk_arm")
        found |= {*question["arms"], *_twins(arms, question), trunk} - {None}
    return found


def _twins(arms: Mapping[str, Any], question: Mapping[str, Any]) -> dict[str, str]:
    """Twin -> arm of the question that it is like."""
    return {
        name: control["like"]
        for name, control in arms.get("controls", {}).items()
        if control["like"] in question["arms"]
    }


@dataclasses.dataclass(frozen=True)
class Making:
    """How one question's runs are made. spec: params, view, size, setting and so on -> a run from the start; named: a
    spec, its arm and the kind of control that it is -> the trunk as it is trained.
    """

    params: SweepParams
    data: Views
    spec: Callable[..., RunSpec]
    named: Callable[[RunSpec, str, str], Trunk]


def branch_trunks(making: Making) -> Iterator[Trunk]:
    """Every trunk and every branch of all questions, a shared trunk once."""
    seen: set[str] = set()
    for question in branch_questions(making.data.arms).values():
        for made in _of_question(question, making):
            if made["trunk_id"] not in seen:
                seen.add(made["trunk_id"])
                yield made


def _of_question(question: Mapping[str, Any], making: Making) -> Iterator[Trunk]:
    asked, params = question["branch"], _plain(making.params, question["branch"])
    budgets = _whole(asked["tokens"], params)
    twins = _twins(making.data.arms, question)
    own = {*question["arms"], *twins}
    for view in (view for view in making.data.views if _arm(view) in own):
        epochs = budgets[-1] / making.data.views[view].n_tokens
        settings = [s for s in params.regularisations if epochs >= s.min_epochs]
        if not settings:
            raise ParamsError(
                f"sweep.regularisations: no setting is left for {view}, which sees"
                f" {epochs:.1f} epochs; lower a min_epochs"
            )
        for size in _sizes(asked, params):
            for setting in settings:
                cell = {"size": size, "setting": setting, "draw": _draw(view)}
                like = twins.get(_arm(view))
                yield from _branch(view, like, asked, cell, budgets, making, params)


def _branch(
    view: str,
    like: str | None,
    asked: Mapping[str, Any],
    cell: Mapping[str, Any],
    budgets: tuple[int, ...],
    making: Making,
    params: SweepParams,
) -> Iterator[Trunk]:
    """The trunk of one branch, where it is ours, and the branch. like: the arm that it is a twin of."""
    is_control = asked["control"] in (_arm(view), like)
    own = (
        params if asked["lr"] is None else params.model_copy(update={"lr": asked["lr"]})
    )
    spec = making.spec(own, view=view, budgets=budgets, is_twin=bool(like), **cell)
    if asked["checkpoint"] is None:
        trunk = _trunk(asked, cell, making, params)
        yield trunk
        start = Branch(
            trunk=trunk["trunk_id"],
            trunk_tokens=trunk["spec"].budgets_tokens[-1],
            reads_on=is_control,
        )
    else:
        require_checkpoint(asked, spec)
        start = Branch(
            trunk=asked["hash"],
            trunk_tokens=asked["at_tokens"],
            reads_on=is_control,
            warm=asked["has_moments"],
        )
    changes: dict[str, Any] = {"branch": start, "loss": asked["loss"]}
    if not is_control:
        changes["data_seed"] = spec.data_seed + BRANCH_SEED
    made = dataclasses.replace(spec, **changes)
    yield making.named(made, _arm(view), "same" if like else "")


def _trunk(
    asked: Mapping[str, Any],
    cell: Mapping[str, Any],
    making: Making,
    params: SweepParams,
) -> Trunk:
    """The run at a constant rate that branches of a cell leave; it grows where the sweep's proxies do."""
    steady = params.model_copy(
        update={"schedule": "constant", "growth": making.params.growth}
    )
    arm = asked["trunk_arm"]
    spec = making.spec(
        steady,
        view=f"{arm}/{cell['draw']}",
        budgets=_whole([asked["at_tokens"]], params),
        **cell,
    )
    return making.named(spec, arm, "")


def _plain(params: SweepParams, asked: Mapping[str, Any]) -> SweepParams:
    """The sweep's settings for a run that neither grows nor is cut to repeat as the target does."""
    return params.model_copy(
        update={"pool_passes": None, "growth": None, "schedule": "wsd"}
    )


def _sizes(asked: Mapping[str, Any], params: SweepParams) -> list[str]:
    return [asked["size"]] if asked["checkpoint"] else asked["sizes"] or params.sizes


def _whole(tokens: Sequence[int], params: SweepParams) -> tuple[int, ...]:
    """Budgets in whole batches, where a trial or a rule has chosen the batch."""
    if not params.tuning.sets_batch:
        return tuple(tokens)
    return tuple(sorted({whole_batches(each, params.batch_tokens) for each in tokens}))


def require_checkpoint(asked: Mapping[str, Any], spec: RunSpec) -> None:
    """Raises InputError where the user's trunk is not what arms.json names, or of another model or tokenizer."""
    path = asked["checkpoint"]
    header = read_header(path)
    header.require(spec.shape)
    if file_hash(path) != asked["hash"]:
        raise ParamsError(
            f"arms.questions: the checkpoint {path} is not the file that the arms stage"
            " saw; run `assay run` again"
        )
    theirs, ours = header.metadata.get("tokenizer"), _tokenizer_hash()
    if theirs is not None and ours is not None and theirs != ours:
        raise ParamsError(
            f"arms.questions: the checkpoint {path} was trained with the tokenizer"
            f" {theirs}, this project packs with {ours}; set pack.tokenizer to the file"
            " it was trained with"
        )


def _tokenizer_hash() -> str | None:
    return file_hash(TOKENIZER) if Path(TOKENIZER).is_file() else None


def _arm(view: str) -> str:
    return view.rsplit("/", 1)[0]


def _draw(view: str) -> int:
    return int(view.rsplit("/", 1)[1])


def phases(trunks: Sequence[Trunk]) -> list[list[Trunk]]:
    """What is trained first, and the branches, which need it; one phase where there are no branches."""
    first = [trunk for trunk in trunks if trunk["spec"].branch is None]
    then = [trunk for trunk in trunks if trunk["spec"].branch is not None]
    return [phase for phase in (first, then) if phase]


def weights_file(trunk_id: str) -> Path:
    """Where the weights of a trunk are kept."""
    return Path(artefacts.TRUNKS).absolute() / f"{trunk_id}.safetensors"


def trained_data(
    data: Views, trunks: Sequence[Trunk], watch: bool = False
) -> "ProxyData":
    """What the trainer reads, and where it finds and leaves the weights of trunks. watch: as sweep.watch."""
    given = dataclasses.replace(proxy_data(data), watched=watch)
    wanted = trunks_left(trunks)
    if not wanted:
        return given
    files = {
        asked["hash"]: Path(asked["checkpoint"]).absolute()
        for question in branch_questions(data.arms).values()
        if (asked := question["branch"])["checkpoint"]
    }
    ours = [trunk for trunk in trunks if trunk["trunk_id"] in wanted]
    kept = {trunk["spec"].key: weights_file(trunk["trunk_id"]) for trunk in ours}
    files |= {trunk["trunk_id"]: weights_file(trunk["trunk_id"]) for trunk in ours}
    return dataclasses.replace(
        given, trunks=files, kept=kept, tokenizer=_tokenizer_hash() or ""
    )


def train_lost_again(trunks: Sequence[Trunk], folder: RunFolder = SWEPT) -> None:
    """Set aside the run file of a trunk whose weights are gone while a branch of it is still to be trained."""
    waiting = [trunk for trunk in trunks if not is_finished(trunk, folder)]
    wanted = trunks_left(waiting)
    for trunk in trunks:
        name = trunk["trunk_id"]
        there = name in wanted and is_finished(trunk, folder)
        if there and not weights_file(name).is_file():
            set_aside(
                folder.file(name),
                f"{folder.stage}: the weights of the trunk {name} are not in {artefacts.TRUNKS};"
                " it is trained again",
            )


def trunks_left(trunks: Iterable[Trunk]) -> set[str]:
    """The trunks that branches among these leave."""
    branches = (trunk["spec"].branch for trunk in trunks)
    return {branch.trunk for branch in branches if branch is not None}
