"""Prefect's database made at once is the one that its migrations make."""

import os
import sqlite3
from contextlib import closing
from importlib import metadata

import pytest

from flows.prefect_server import empty_database
from flows.prefect_server.empty_database import (
    OTHER_DATABASES,
    SCHEMA,
    make_database,
    migrated,
    schema_of,
)


@pytest.fixture(autouse=True)
def no_other_database(monkeypatch):
    for name in OTHER_DATABASES:
        monkeypatch.delenv(name, raising=False)


def statements(schema):
    """Each as its sorted lines: a migration copies constraints and indexes in the order of a set."""
    return sorted(
        sorted(line.strip(" \t,") for line in statement.splitlines())
        for statement in schema.split(";\n")
    )


def test_it_is_what_the_migrations_of_the_installed_version_leave(tmp_path):
    made, grown = tmp_path / "made/prefect.db", tmp_path / "grown.db"
    assert make_database(made), (
        f"{SCHEMA} is of another Prefect than {metadata.version('prefect')}: write it"
        " anew by `python -m flows.prefect_server.empty_database`"
    )
    migrated(grown)
    assert statements(schema_of(made)) == statements(schema_of(grown))
    assert os.listdir(made.parent) == ["prefect.db"]


def test_migrations_find_nothing_to_do_in_it(tmp_path):
    file = tmp_path / "prefect.db"
    make_database(file)
    before = schema_of(file)
    migrated(file)
    assert schema_of(file) == before


def test_a_database_that_is_there_stays(tmp_path):
    file = tmp_path / "prefect.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("create table mine (x)")
    before = file.read_bytes()
    assert not make_database(file)
    assert file.read_bytes() == before


def test_another_version_of_prefect_makes_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(empty_database.metadata, "version", lambda _: "3.0.0")
    assert not make_database(tmp_path / "prefect.db")
    assert not os.listdir(tmp_path)


def test_nothing_is_made_beside_a_database_that_the_user_names(tmp_path, monkeypatch):
    monkeypatch.setenv(OTHER_DATABASES[0], "postgresql+asyncpg://127.0.0.1/prefect")
    assert not make_database(tmp_path / "prefect.db")
    assert not os.listdir(tmp_path)
