"""What a person reads first of an experiment and of its parent run: the question, the answer, the figure."""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.searched.record import Decision, read_any_decision
from stages.searched.words import picture_of

log = logging.getLogger("assay")
DESCRIPTION = "mlflow.note.content"
KIND = "mlflow.experimentKind"
# opens an experiment on its runs; without it MLflow 3 opens its page of agents and traces
MODEL_TRAINING = "custom_model_development"
MOST_CHARS = 4_900  # of a description: a store refuses tags above 5,000


def decision_of(question: str) -> Decision | None:
    """The record, None where there is none yet or, with a line, where it cannot be read."""
    file = Path(artefacts.decision(question))
    if not file.is_file():
        return None
    try:
        return read_any_decision(file)
    except InputError as error:
        log.warning("MLflow: %s; its runs are sent without it", error)
        return None


def description(
    question: str, title: str, decision: Decision | None, parent: str
) -> str:
    """Markdown. parent: the run that holds the decision and its figure."""
    figure = picture_of(question)
    parts = [title]
    if decision:
        parts += [
            f"**{decision.sentence}**",
            f"Status: {decision.status}. {decision.reason}",
        ]
    if figure:
        parts += [
            f"Figure: `{figure.name}`, an artifact of the run `sweep-{question}`.",
            f"![{figure.name}](get-artifact?path={quote(figure.name)}&run_uuid={parent})",
        ]
    return "\n\n".join(parts)[:MOST_CHARS]


def describe(client: Any, experiment: Any, parent: str, text: str) -> None:
    """Set kind and description where they are others. experiment: as MLflow knows it now."""
    for key, value in ((KIND, MODEL_TRAINING), (DESCRIPTION, text)):
        if experiment.tags.get(key) != value:
            client.set_experiment_tag(experiment.experiment_id, key, value)
    if client.get_run(parent).data.tags.get(DESCRIPTION) != text:
        client.set_tag(parent, DESCRIPTION, text)
