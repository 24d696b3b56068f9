"""A declared stage as a Prefect task: DVC decides whether and how it runs, Prefect when and where."""

from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.exceptions import StageCmdFailedError
from prefect import get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.dvc_project import LOCK, opened_project
from stages.decision.provenance import locked_stages
from stages.foundation import artefacts
from stages.foundation.stage import Stage
from stages.foundation.yaml_file import read_yaml

BAD_INPUT = 2
TRAINING_RETRIES = 2  # assumed: a preempted or killed sweep goes on from its run files


class StageFailure(Exception):
    """A stage's command ended with an exit code other than 0; its own line said why."""

    def __init__(self, stage: str, exit_code: int, why: str = "") -> None:
        super().__init__(
            f"stage {stage}: {why or f'ended with exit code {exit_code}'}; go on with"
            " `assay run`"
        )
        self.stage, self.exit_code = stage, exit_code


def stale_reasons(stage: Stage) -> list[str]:
    """What makes the stage stale, in words; empty where it is up to date."""
    with opened_project() as repo:
        status = repo.status(targets=[stage.name])
    reasons = [
        reason for change in status.get(stage.name, []) for reason in _reasons(change)
    ]
    keys = changed_params(stage.name)
    return [
        (
            f"params: {', '.join(keys)}"
            if keys and reason.endswith(f" {stage.name}")
            else reason
        )
        for reason in reasons
    ]


def changed_params(name: str) -> list[str]:
    """Dotted keys of a stage's section that differ from what dvc.lock recorded."""
    if not LOCK.is_file():
        return []
    recorded = locked_stages(LOCK).get(name, {}).get("params", {})
    changed = []
    for file, sections in recorded.items():
        now = read_yaml(Path(file))[1] if Path(file).is_file() else {}
        for section, values in sections.items():
            changed += _differences(values, now.get(section), section)
    return changed


def _differences(old: object, new: object, key: str) -> list[str]:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [key]
    return [
        found
        for name in dict.fromkeys([*old, *new])
        for found in _differences(old.get(name), new.get(name), f"{key}.{name}")
    ]


def _reasons(change: object) -> list[str]:
    if isinstance(change, str):
        return [change]
    assert isinstance(change, dict)
    texts = []
    for kind, paths in change.items():
        for path, what in paths.items() if isinstance(paths, dict) else [(paths, "")]:
            detail = ", ".join(what) if isinstance(what, dict) else what
            texts.append(f"{kind}: {path} {detail}".strip())
    return texts


def reproduce(name: str) -> None:
    """`dvc repro --single-item NAME` in this process; StageFailure where the command or DVC itself refused."""
    try:
        with Repo() as repo:
            repo.reproduce(name, single_item=True)
    except DvcException as error:
        cause = error.__cause__ or error
        if isinstance(cause, StageCmdFailedError):
            raise StageFailure(name, exit_code(cause)) from None
        raise StageFailure(name, BAD_INPUT, " ".join(str(cause).split())) from None


def exit_code(error: StageCmdFailedError) -> int:
    """DVC keeps the code only in its sentence: `failed to run: CMD, exited with N`."""
    last = str(error).rpartition(" ")[2]
    return int(last) if last.lstrip("-").isdigit() else 1


def relay_log(name: str) -> None:
    """The stage's own lines, into the Prefect run."""
    file = Path(artefacts.log_file(name))
    if file.is_file():
        for line in file.read_text("utf-8", errors="replace").splitlines():
            get_run_logger().info(line)


def failure_of(state: State) -> BaseException | None:
    """What a failed state carries: Prefect wraps it in a record, and a flow that returns a task's
    state in that state.
    """
    found = state.data
    while found is not None and not isinstance(found, BaseException):
        found = (
            found.data if isinstance(found, State) else getattr(found, "result", None)
        )
    return found


def _worth_a_retry(_task: object, _run: object, state: State) -> bool:
    failure = failure_of(state)
    return not (isinstance(failure, StageFailure) and failure.exit_code == BAD_INPUT)


@task(
    task_run_name="{name}",
    retry_delay_seconds=[10, 60],
    retry_condition_fn=_worth_a_retry,
)
def run_stage(name: str, reasons: list[str]) -> State:
    """Run one changed stage; bad input is a failed state with its one line and no traceback."""
    get_run_logger().info("%s runs because of %s", name, "; ".join(reasons[:3]))
    try:
        reproduce(name)
    except StageFailure as failure:
        relay_log(name)
        if failure.exit_code == BAD_INPUT:
            return Failed(message=str(failure), data=failure)
        raise
    relay_log(name)
    return Completed(message=f"{name} is up to date")
