"""Prefect's database before the first run, made at once: by its own 112 migrations an empty one takes 8 CPU seconds.

empty_database.sql is what the migrations of one version of Prefect leave, which its first line names; with any other
version the server makes its database itself. `python -m flows.prefect_server.empty_database` writes the file anew.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from importlib import metadata
from pathlib import Path

SCHEMA = Path(__file__).with_suffix(".sql")
# a server that the user gives another database
OTHER_DATABASES = (
    "PREFECT_API_DATABASE_CONNECTION_URL",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL",
)


def first_line(version: str) -> str:
    return f"-- The empty database of Prefect {version}"


def make_database(file: Path) -> bool:
    """Make the database where there is none; False where it is left to Prefect. OSError where the folder cannot be
    written.

    Whole or not at all, and never in place of one that a server makes meanwhile.
    """
    if file.exists() or any(name in os.environ for name in OTHER_DATABASES):
        return False
    schema = SCHEMA.read_text("utf-8")
    if schema.partition("\n")[0] != first_line(metadata.version("prefect")):
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    made = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with closing(sqlite3.connect(made)) as database:
            database.executescript(schema)
        with suppress(FileExistsError):
            os.link(made, file)
    except (sqlite3.Error, OSError):
        return False  # the server tries, and says why not
    finally:
        made.unlink(missing_ok=True)
    return True


def migrated(file: Path) -> None:
    """A new database by Prefect's migrations."""
    url = f"sqlite+aiosqlite:///{file}"
    command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
    environment = os.environ | {
        "PREFECT_API_DATABASE_CONNECTION_URL": url,
        "PREFECT_HOME": str(file.parent),
    }
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def schema_of(file: Path) -> str:
    """The statements that make a database like this one, which holds no rows but the number of its last migration."""
    with closing(sqlite3.connect(file)) as database:
        made = database.execute(
            "select sql from sqlite_master where sql is not null and name not like"
            " 'sqlite_%' order by rowid"
        )
        lines = [line.rstrip() for (sql,) in made for line in f"{sql};".splitlines()]
        (last,) = database.execute("select * from alembic_version").fetchone()
    return "\n".join([*lines, f"INSERT INTO alembic_version VALUES('{last}');", ""])


def main() -> None:
    """Write empty_database.sql for the version that is installed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.db"
        migrated(file)
        text = f"{first_line(metadata.version('prefect'))}\n{schema_of(file)}"
    SCHEMA.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
