"""A decision for other budgets, asked for from a form: what is filled in goes into params.yaml, then the flow runs.

Its comments stay. The file says what was asked, as for every decision: `dvc params diff` shows the
change, and git keeps it or takes it back.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

from dvc.utils.serialize import modify_yaml
from prefect import flow
from prefect.states import State
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from flows.pipeline import failed, noted, pipeline
from flows.reporting.resume import hooks
from flows.run_lease import run_lease
from flows.with_dvc.reproduced import BAD_INPUT, StageFailure
from stages.decide import DecideParams
from stages.foundation.dvc_file import write_pipeline_file
from stages.foundation.errors import InputError, in_file
from stages.pipeline import PIPELINE
from stages.settings.params import load_params


def _typed(field: FieldInfo) -> Any:
    """The type of a field with its bounds, where it has any."""
    if not field.metadata:
        return field.annotation
    return Annotated[field.annotation, *field.metadata]


def _optional(model: type[BaseModel]) -> dict[str, Any]:
    """Every field of a section with its type, bounds and sentence, each of which may be left empty; what is
    taken from the section `target` is not asked for.
    """
    return {
        name: (
            _typed(field) | None,
            Field(None, description=f"{field.description}; empty: as in params.yaml"),
        )
        for name, field in model.model_fields.items()
        if name != "target"
    }


Asked = create_model(
    "Asked",
    __config__=ConfigDict(extra="forbid"),
    __doc__="What the decision is asked for; the section `decide` of params.yaml.",
    **_optional(DecideParams),
)


@flow(name="decision", **hooks())
def decision(asked: Asked = Asked(), params_file: str = "params.yaml") -> State:
    """Decide for what the form asks, on the runs that there are; what lacks is trained first."""
    with noted():
        try:
            with run_lease():
                ask(Path(params_file), asked.model_dump(exclude_none=True))
                return pipeline(params_file=params_file, return_state=True)
        except InputError as error:
            why = in_file(error, params_file)
            return failed(StageFailure("decide", BAD_INPUT, why))


def ask(params_file: Path, values: dict[str, Any]) -> None:
    """Set keys of the section `decide`. Raises InputError, and leaves the file, where the whole is not valid."""
    load_params(params_file, PIPELINE)
    with tempfile.TemporaryDirectory(dir=params_file.parent) as folder:
        changed = Path(folder) / params_file.name
        shutil.copy(params_file, changed)
        with modify_yaml(str(changed)) as sections:
            sections.setdefault("decide", {}).update(values)
        try:
            params = load_params(changed, PIPELINE)
        except InputError as error:
            told = str(error).replace(str(changed), str(params_file))
            raise InputError(told) from None
        changed.replace(params_file)
    write_pipeline_file(PIPELINE, params, str(params_file))
