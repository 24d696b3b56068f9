"""Lines of a stage are kept with its Prefect run, and a person reads each of them once."""

import logging

import pytest

from flows.with_dvc import tasks


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


@pytest.fixture
def terminal():
    handler = Kept()
    logging.getLogger().addHandler(handler)
    yield handler.lines
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def prefect_run(monkeypatch):
    handler, logger = Kept(), logging.getLogger("a task run")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    monkeypatch.setattr(tasks, "get_run_logger", lambda: logger)
    yield handler.lines
    logger.removeHandler(handler)


def test_the_lines_that_a_stage_printed_go_to_prefect_alone(
    tmp_path, monkeypatch, terminal, prefect_run
):
    monkeypatch.chdir(tmp_path)
    log = tmp_path / tasks.artefacts.log_file("dedup")
    log.parent.mkdir(parents=True)
    log.write_text("dedup: started\ndedup: done in 1.0 s\n")
    for _ in range(2):
        tasks.relay_log("dedup")
    assert prefect_run == ["dedup: started", "dedup: done in 1.0 s"] * 2
    assert terminal == []
    tasks.get_run_logger().info("dedup runs because of params")
    assert terminal == ["dedup runs because of params"]


def test_a_stage_without_a_log_has_nothing_to_relay(tmp_path, monkeypatch, prefect_run):
    monkeypatch.chdir(tmp_path)
    tasks.relay_log("dedup")
    assert prefect_run == []
