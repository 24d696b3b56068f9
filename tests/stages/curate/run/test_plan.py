import pytest

from stages.curate.run.plan import plan_input
from stages.foundation.errors import InputError
from stages.settings.curate import CurateSettings


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "One."}\n')
    (tmp_path / "b.jsonl").write_text("")
    return tmp_path


def test_an_empty_file_is_passed_over_or_strictly_refused(files):
    plan = plan_input([str(files)], CurateSettings())
    assert plan.empty == [str(files / "b.jsonl")] and len(plan.units) == 1
    assert [entry["name"] for entry in plan.inputs] == ["a.jsonl", "b.jsonl"]
    with pytest.raises(InputError, match=r"b\.jsonl: the file is empty"):
        plan_input([str(files)], CurateSettings(), strict=True)


def test_the_hash_follows_what_decides_the_result(files):
    def hashed(segments=(), **changes):
        settings = CurateSettings(**changes)
        return plan_input([str(files)], settings).result_hash(settings, segments)

    assert hashed() == hashed(shard_mb=1)
    others = [hashed(mask_pii=True), hashed(segments=["x"])]
    (files / "a.jsonl").write_text('{"text": "Two."}\n{"text": "More."}\n')
    assert len({hashed(shard_mb=2), *others}) == 3
