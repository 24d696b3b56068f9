"""Stages run one after another in a folder, without DVC."""

import pytest
import yaml

from stages.foundation.errors import InputError
from stages.pipeline import PIPELINE
from stages.settings.params import load_params


@pytest.fixture(scope="session")
def run_stages():
    """run_stages(folder, params, until) writes params.yaml and runs the pipeline up to a stage,
    each with all that it promised.
    """

    def run(folder, params, until):
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            sections = load_params("params.yaml", PIPELINE)
            for stage in PIPELINE:
                stage.run(sections[stage.name])
                assert not [
                    path for path in stage.products if not (folder / path).exists()
                ], stage.name
                if stage.name == until:
                    return folder
        raise ValueError(f"no stage {until!r}")

    return run


@pytest.fixture
def refused(tmp_path):
    """refused(params, message): params.yaml is refused in one line that matches."""

    def check(params, message):
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        with pytest.raises(InputError, match=message) as error:
            load_params(tmp_path / "params.yaml", PIPELINE)
        assert "\n" not in str(error.value)

    return check
