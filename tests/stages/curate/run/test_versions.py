import polars as pl

from stages.curate.run.versions import FORMAT, versions


def test_versions_are_those_of_what_writes_the_bytes():
    found = versions()
    assert found["polars"] == pl.__version__ and found["format"] == str(FORMAT)
    assert set(found) == {"format", "numpy", "polars", "pyarrow"}
