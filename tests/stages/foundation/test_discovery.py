"""Files of a folder are found without a list."""

import pytest

from stages.foundation.discovery import modules_of
from stages.foundation.stage import ROOT, imported_modules


def test_modules_come_by_folder_and_then_by_name(tmp_path, monkeypatch):
    for file in (
        "pack_one/b.py",
        "pack_one/a.py",
        "pack_one/deeper/c.py",
        "pack_two/d.py",
    ):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        (path.parent / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    found = [module.__name__ for module in modules_of("pack_two", "pack_one")]
    assert found == ["pack_two.d", "pack_one.a", "pack_one.b"]


def test_what_is_found_counts_as_imported(tmp_path, monkeypatch):
    caller = tmp_path / "caller.py"
    caller.write_text('modules_of("stages.foundation")')
    assert ROOT / "stages/foundation/section.py" in imported_modules(caller)


@pytest.mark.parametrize("folder", ["name", "3"])
def test_a_folder_that_is_not_written_out_is_refused(tmp_path, folder):
    caller = tmp_path / "caller.py"
    caller.write_text(f"modules_of({folder})")
    with pytest.raises(
        TypeError,
        match=rf"modules_of\({folder}\): write the folder's dotted name out",
    ):
        imported_modules(caller)
