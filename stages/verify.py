"""Question: does what was decided hold beyond the compute that it was fitted to?
Input: decisions, their refits, the sweep's trunks and views. Output: one JSON file a trunk that was carried on (kept
over reruns), a record a question of predicted against measured, and lines of the track record over all decisions.
Nothing is fitted to these runs. Cost: three to six trunks a question at `times` the largest fitted compute.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from stages import images
from stages.decision.provenance import git_commit
from stages.decision.question_laws import load
from stages.foundation import artefacts
from stages.foundation.errors import ParamsError
from stages.foundation.files import whole_file, whole_folder, write_json
from stages.foundation.sealed import AGAIN, read_sealed
from stages.laws.choosing.averaged import Mixture
from stages.laws.choosing.bootstrap import Bootstrap
from stages.runs.run_files import CARRIED_ON
from stages.searched.kinds import is_searched
from stages.settings.verify import VerifyParams
from stages.sweeping.views import Views, load_views
from stages.verification.asked import Asked, ask
from stages.verification.branched import order_and_data
from stages.verification.carried_on import Trunk, is_trained, table_after
from stages.verification.judged import Rows
from stages.verification.outcome import metrics, verified
from stages.verification.record import Verification
from stages.verification.track_record import append, claims_of

log = logging.getLogger("assay")


@dataclass(frozen=True)
class Predicted:
    """What a decision predicts for rows of the runs table with a column `arm`."""

    boot: Bootstrap | Mixture

    def point(self, rows: Rows) -> np.ndarray:
        """The value at each row, (rows,)."""
        return self.boot.central(rows)

    def new_runs(self, rows: Rows) -> np.ndarray:
        """The value of one new run at each row in each draw, (draws, rows)."""
        return self.boot.predict(rows, new_run=True)


def load_prediction(question: str, tiers: list[str]) -> Predicted:
    """The prediction of a question as the decision had it, from the stored refits."""
    return Predicted(load(question, tiers).boot)


@dataclass(frozen=True)
class Plan:
    """asked: question -> what is to be trained for it; data: the views that these trunks read."""

    asked: dict[str, Asked]
    data: Views


def planned(params: VerifyParams) -> Plan:
    """What is asked of every question; nothing is trained. Image proxies are not carried on."""
    questions = read_sealed(artefacts.ARMS, AGAIN)["questions"]
    if unknown := set(params.questions or []) - set(questions):
        raise ParamsError(
            f"verify.questions: no question {min(unknown)!r}; there are"
            f" {', '.join(questions)}"
        )
    data = load_views()
    searched = [name for name, asked in questions.items() if is_searched(asked)]
    if searched:
        from stages.verification.searched import with_searched_views

        data = with_searched_views(data, searched)
    return Plan({name: asked_of(name, data, params) for name in questions}, data=data)


def asked_of(name: str, data: Views, params: VerifyParams) -> Asked:
    """What is to be trained for one question of any kind."""
    if is_searched(data.arms["questions"][name]):
        # what a project without such a question does not depend on
        from stages.verification.searched import ask_search

        return ask_search(name, data, params)
    prediction = load_prediction(name, data.arms["tiers"])
    return ask(name, data, prediction=prediction, params=params)


def run(params: VerifyParams) -> None:
    """Train what is missing, then write the records of all that was trained."""
    if images.are_pooled():
        log.info("verify: image proxies are not carried on; nothing is trained")
        return write({})
    plan = planned(params)
    if params.train:
        train([*plan.asked.values()], plan.data, params.device)
    tables = {
        name: table_after(each.trained(plan.data)) for name, each in plan.asked.items()
    }
    write(
        {
            name: (verified(each, tables[name]), tables[name])
            for name, each in plan.asked.items()
        }
    )


def write(outcomes: dict[str, tuple[Verification, pl.DataFrame]]) -> None:
    """Records, the track record, metrics and the runs. outcomes: question -> its record and the runs behind it."""
    records = [record for record, _ in outcomes.values()]
    write_runs([table for _, table in outcomes.values()])
    with whole_folder(artefacts.VERIFICATIONS) as folder:
        for record in records:
            record.write(folder / f"{record.question}.json")
    commit = git_commit()
    claims = [claim for record in records for claim in claims_of(record, commit)]
    append(artefacts.TRACK_RECORD, claims)
    summary = {record.question: metrics(record) for record in records}
    write_json(artefacts.VERIFY_METRICS, summary)
    for record in records:
        log.info("verify: %s: %s", record.question, record.sentence)


def missing_trunks(asked: Iterable[Asked]) -> list[Trunk]:
    """Every planned trunk that is not on disk, each once."""
    by_id = {trunk["trunk_id"]: trunk for each in asked for trunk in each.trunks}
    return [trunk for trunk in by_id.values() if not is_trained(trunk)]


def train(asked: list[Asked], data: Views, device: str) -> None:
    """Train every planned trunk that is not on disk, on this machine."""
    missing = missing_trunks(asked)
    log.info("verify: %d trunks to train", len(missing))
    if missing:
        from stages.sweeping.train_trunks import train as train_trunks  # loads torch

        phases, given = order_and_data(missing, data)
        for phase in phases:
            train_trunks(phase, given, device, folder=CARRIED_ON)


def write_runs(tables: list[pl.DataFrame]) -> None:
    """All runs after the decisions as one runs table, and the folder of their files even where there are none."""
    CARRIED_ON.path.mkdir(parents=True, exist_ok=True)
    whole = pl.concat(tables or [table_after([])], how="diagonal").unique(
        ["run_id", "metric"], keep="first", maintain_order=True
    )
    with whole_file(artefacts.VERIFY_RUNS) as temporary:
        whole.write_parquet(temporary)
