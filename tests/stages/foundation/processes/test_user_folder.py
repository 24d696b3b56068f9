"""What another user has planted is not followed."""

import tempfile

import pytest

from stages.foundation.errors import InputError
from stages.foundation.processes.user_folder import user_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def mode(path):
    return path.stat().st_mode & 0o777


def test_nobody_else_can_look_into_it():
    folder = user_folder("locks")
    assert mode(folder) == 0o700 and user_folder("locks") == folder
    folder.chmod(0o777)
    assert mode(user_folder("locks")) == 0o700


def test_a_link_and_a_file_in_its_place_are_refused(tmp_path):
    folder, elsewhere = user_folder("locks"), tmp_path / "elsewhere"
    folder.rmdir()
    elsewhere.mkdir(mode=0o755)
    folder.symlink_to(elsewhere)
    with pytest.raises(InputError, match="is a link, a file or another user's"):
        user_folder("locks")
    assert mode(elsewhere) == 0o755
    folder.unlink()
    folder.touch()
    with pytest.raises(InputError, match="is a link, a file or another user's"):
        user_folder("locks")


def test_a_temporary_folder_that_is_not_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(InputError, match="cannot be made .*TMPDIR"):
        user_folder("locks")
