"""Documents are numbered through all units, those of an index after those of the input."""

from stages.curate.work.numbering import Units


def test_the_input_ends_where_what_is_remembered_begins(tmp_path):
    folders = tuple(tmp_path / name for name in ("a", "b", "old"))
    units = Units(folders, starts=(0, 4, 9, 12), n_new=2)
    assert (units.n_documents, units.n_all) == (9, 12)


def test_runs_of_keys_come_unit_by_unit_with_the_number_of_their_first_row(tmp_path):
    for name, run in [("a", "keys-1.bin"), ("a", "keys-0.bin"), ("b", "keys-0.bin")]:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / run).touch()
    (tmp_path / "a" / "marks.bin").touch()
    units = Units((tmp_path / "a", tmp_path / "b"), starts=(0, 4, 9), n_new=2)
    assert units.runs() == [
        (0, tmp_path / "a/keys-0.bin"),
        (0, tmp_path / "a/keys-1.bin"),
        (4, tmp_path / "b/keys-0.bin"),
    ]
    assert units.runs("marks.bin") == [(0, tmp_path / "a/marks.bin")]
