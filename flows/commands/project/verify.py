"""`assay verify` and `assay status --track-record`: predictions against what was trained after them."""

import json
from pathlib import Path

from flows import environment
from flows.commands.show import paragraph, show
from flows.main_job import check_executor
from flows.prefect_server.own_server import find_server
from stages import images
from stages.__main__ import start_logging
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.pipeline import PIPELINE
from stages.settings.params import load_params
from stages.settings.verify import VerifyParams
from stages.verification.record import read_verification
from stages.verification.track_record import read_track_record, summary
from stages.verification.words import lead_row, run_row


def verify_command(
    params_file: Path,
    times: float | None,
    flops: float | None,
    questions: list[str],
    as_json: bool,
    executor: str = "local",
    gpus: float = 0.0,
) -> None:
    """Run the stage with what was asked for in place of its parameters, and print its records."""
    check_executor(executor)
    if times and flops:
        raise InputError("--times and --flops say the same; give one of them")
    decided = sorted(Path(artefacts.DECISIONS).glob("*.json"))
    if not decided or not Path(artefacts.RUNS).is_file():
        raise InputError(
            f"{Path.cwd()}: no decision and runs here to verify; `assay run` makes them"
        )
    section = load_params(params_file, PIPELINE)["verify"]
    given: dict[str, object] = {"train": True}
    if times or flops:
        given |= {"flops": flops, "times": times or section.model_dump()["times"]}
    if questions:
        given["questions"] = questions
    stage = next(stage for stage in PIPELINE if stage.name == "verify")
    start_logging(stage.name)
    asked = VerifyParams(**section.model_dump() | given)
    if executor != "local" and not images.are_pooled():
        fan_out(asked, executor, gpus)
    stage.carry_out(asked)
    files = sorted(Path(artefacts.VERIFICATIONS).glob("*.json"))
    records = [read_verification(file) for file in files]
    if questions:
        records = [record for record in records if record.question in questions]
    if as_json:
        print(json.dumps([record.as_json() for record in records], indent=2))
        return
    for record in records:
        print(paragraph(f"{record.question}: {record.sentence}"))
        names = {arm: arm for arm in record.labels}  # labels are too wide here
        if record.runs:
            show([run_row(run, names) for run in record.runs], False)
        if record.leads:
            leads = [lead_row(lead, record.verdicts, names) for lead in record.leads]
            show(leads, False)


def fan_out(params: VerifyParams, executor: str, gpus: float) -> None:
    """Train what is missing as Prefect tasks; the stage then finds it on disk."""
    environment.prepare()
    if find_server() is None and executor == "prefect":
        return  # the workers of the stage do it
    from flows.sweep import fill_verify  # loads Prefect, which reads its settings then

    fill_verify(params, executor, gpus=gpus)


def track_record_command(as_json: bool) -> None:
    """The table over all decisions that were verified."""
    claims = read_track_record(artefacts.TRACK_RECORD)
    rows = summary(claims)
    if not rows and not as_json:
        print("No decision has been verified yet; `assay verify` does it.")
        return
    show(
        rows, as_json, title="Decisions that were verified, by times the fitted compute"
    )
    n_seen = sum(claim.seen_before for claim in claims)
    if n_seen and not as_json:
        print(f"{n_seen} more claims rest on runs that were there before; not counted.")
