"""`python -m stages`: a fault of the parameters names the file that was given, any other fault does not."""

import importlib
import logging

import pytest
import yaml

from stages.foundation.errors import InputError, ParamsError, RefusedError, in_file
from stages.foundation.stage import ROOT

main = importlib.import_module("stages.__main__")


@pytest.fixture
def command(tmp_path, monkeypatch, caplog):
    """command(error) runs `arms --params other.yaml`, whose stage raises: (exit code, last line)."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(params))

    def run(error):
        def fail(*_):
            raise error

        monkeypatch.setattr(main, "run", fail)
        code = main.main(["arms", "--params", "other.yaml"])
        for handler in log.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.close()
        log.handlers.clear()
        return code, (tmp_path / ".assay/logs/arms.log").read_text().strip()

    log = logging.getLogger("assay")
    yield run
    log.propagate = True


def test_a_fault_of_the_parameters_names_the_file_that_was_given(command):
    assert command(ParamsError("arms.draw_tokens is 9, the pool holds 8")) == (
        2,
        "arms: other.yaml: arms.draw_tokens is 9, the pool holds 8",
    )


def test_other_faults_name_their_own_file(command):
    assert command(InputError("noise.jsonl:3: broken JSON")) == (
        2,
        "arms: noise.jsonl:3: broken JSON",
    )
    assert command(RefusedError("too few runs")) == (1, "arms: too few runs")


def test_only_parameters_get_the_name_of_their_file():
    assert (
        in_file(ParamsError("fit.domain: none"), "a.yaml") == "a.yaml: fit.domain: none"
    )
    assert in_file(InputError("b.csv: empty"), "a.yaml") == "b.csv: empty"


def test_no_message_inside_stages_names_the_file_itself():
    guilty = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("stages/**/*.py")
        if '"params.yaml: ' in path.read_text("utf-8")
    ]
    assert guilty == []
