"""The project's own store is made ahead of its first use: whole or not at all, and never in place of another."""

import os
import sqlite3
from contextlib import closing

import pytest

from stages.runs.mlflow_store.ahead import get_ready
from stages.runs.mlflow_store.store import make_own_store, open_client


def experiments(file):
    with closing(sqlite3.connect(file)) as opened:
        return opened.execute("select name from experiments").fetchall()


def test_a_store_of_our_own_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def killed(made, file):
        assert experiments(made) == [("Default",)]
        assert not file.exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", killed)
        with pytest.raises(KeyboardInterrupt):
            make_own_store()
    assert not list(tmp_path.rglob("mlflow.db"))
    get_ready()
    assert experiments(tmp_path / "mlflow.db") == [("Default",)]
    assert [run.name for run in open_client().search_experiments()] == ["Default"]
    assert list((tmp_path / ".assay").iterdir()) == []


def test_a_store_that_another_made_meanwhile_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    link = os.link

    def made_first(made, file):
        file.write_text("of another process")
        link(made, file)

    monkeypatch.setattr(os, "link", made_first)
    make_own_store()
    assert (tmp_path / "mlflow.db").read_text() == "of another process"


def test_no_store_of_our_own_is_made_where_one_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    get_ready()
    assert list(tmp_path.iterdir()) == []
