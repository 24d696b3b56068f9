"""Awkward inputs, made from a seed: parameters, documents, tables of runs, each with a command that reads it.

Written into the folder of a case; the command is what a person would type behind `assay`. Imported by fuzz.py.
"""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORDS = "the of and to in is that it was for on are with as his they at be this".split()
ODD_TEXTS = (
    *("", " ", "\0", "a\0b", "\ud800", "caf\udce9", "\ufeff", "\u2028", "null"),
    *("nan", "inf", "-1", "1e400", "9" * 5000, "a" * 3000, "../../x", "a/b", "*"),
    *("[1]", "{}", "'", '"', "\r", "\t", "é" * 200, "日本語", "a\n\nb", "<b>"),
)
ODD_NUMBERS = (
    *(0, -1, 1, 1e-300, 1e300, 1.797e308, 5e-324, float("nan"), float("inf")),
    *(-float("inf"), 2**63, 10**40, 0.5, 1e20, True, None, 1e-30, 1e59),
)
SCALARS = (
    *("!!int x", "!!float x", "!!bool maybe", "!!timestamp x", "2024-13-45", "[" * 60),
    *("{a: 1}", "[]", "[1, 2]", "null", "~", ".inf", ".nan", "-5", "0", "1e400"),
    *("9" * 5000, "'" + "x" * 6000 + "'", '"\\ud800"', "&a [*a]", "../..", "a/b"),
    *("1.0e-7", "0.001", "0.3", "1", "2", "7", "64", "100000", "1.0e+9", "first"),
    *("!!binary é", "!!set {a, b}", "!!python/name:os.system", "true", '"\\0"', "*b"),
)


def params_case(rng: random.Random, folder: Path) -> list[str]:
    """A mutated params file, for the first stage or for `assay curate`."""
    pool = folder / "raw.jsonl"
    pool.write_text("".join(_json_line(rng, at) for at in range(200)), "utf-8")
    text = (ROOT / "params.yaml").read_text("utf-8")
    start, end = text.index("  pools:"), text.index("\ndedup:")
    pools = "  pools:\n    web: {path: raw.jsonl, heldout: 0.1, reference: 0.3}\n"
    text = text[:start] + pools + text[end:] + CURATE
    raw = text.encode()
    for _ in range(rng.choice((1, 1, 2, 5))):
        raw = rng.choice(PARAMS_MUTATIONS)(rng, raw)
    (folder / "params.yaml").write_bytes(raw)
    if rng.random() < 0.5:
        return ["stages", "ingest"]
    return ["curate", "raw.jsonl", "--params", "params.yaml", "--out", "out"]


CURATE = """
curate:
  rules: fineweb
  dedup: {policy: near, keep: longest, bands: 14, rows: 8, seed: 1}
  extra: [url]
  lines: {}
  scores: {fluency: {kind: ngram}}
  thresholds: {}
  languages: []
  mask_pii: true
  max_doc_chars: 100000
  shard_mb: 1
"""


def _bytes_at_random(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw))
    odd = rng.choice((b"\xff", b"\0", b"\xe9", b"{", b"]", b"\t", b"&a ", b"*a", b": "))
    return raw[:at] + odd + raw[at + rng.randrange(3) :]


def _line_change(rng: random.Random, raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    lines[at : at + 1] = rng.choice(
        ([], [lines[at]] * 2, [b"  " + lines[at]], [lines[at].lstrip()])
    )
    return b"".join(lines)


def _value_change(rng: random.Random, raw: bytes) -> bytes:
    lines = raw.decode("utf-8", "replace").splitlines()
    at = rng.choice([i for i, line in enumerate(lines) if ": " in line] or [0])
    key = lines[at].partition(": ")[0]
    lines[at] = f"{key}: {rng.choice(SCALARS)}"
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _key_change(rng: random.Random, raw: bytes) -> bytes:
    lines = raw.decode("utf-8", "replace").splitlines()
    at = rng.choice([i for i, line in enumerate(lines) if ": " in line] or [0])
    key, _, value = lines[at].partition(": ")
    indent = key[: len(key) - len(key.lstrip())]
    lines[at] = (
        f"{indent}{rng.choice(('..', 'a/b', 'x' * 300, '?', '1', '<<'))}: {value}"
    )
    return ("\n".join(lines) + "\n").encode()


def _encoded(rng: random.Random, raw: bytes) -> bytes:
    text = raw.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-16", "utf-8-sig", "utf-32")))


PARAMS_MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    *(_value_change,) * 5,
    *(_bytes_at_random, _line_change, _key_change) * 2,
    _encoded,
)


def _json_line(rng: random.Random, at: int) -> str:
    text = " ".join(rng.choices(WORDS, k=rng.randrange(5, 120))) + "."
    row = {"text": text, "id": at, "url": f"http://a.org/{at}", "lang": "en"}
    return json.dumps(row) + "\n"


def documents_case(rng: random.Random, folder: Path) -> list[str]:
    """A folder of odd files, and a run of `assay curate` over it."""
    raw = folder / "raw"
    raw.mkdir()
    (raw / "good.jsonl").write_text("".join(_json_line(rng, at) for at in range(30)))
    for at in range(rng.randrange(1, 4)):
        rng.choice(FILES)(rng, raw, f"f{at}")
    options = []
    for option, value in (("--id", "id"), ("--lang", "lang"), ("--text", "body")):
        options += [option, value] if rng.random() < 0.2 else []
    options += ["--strict"] if rng.random() < 0.2 else []
    if rng.random() < 0.3:
        settings = "{extra: [url, meta.a], rules: [], dedup: {policy: exact}}"
        (folder / "p.yaml").write_text(f"curate: {settings}\n")
        options += ["--params", "p.yaml"]
    wanted = rng.choice(("raw", "raw", "raw/*", "raw/f0*", "raw/none.jsonl", "raw/x*"))
    return ["curate", wanted, "--out", rng.choice(("out", "out", "a/b/out")), *options]


def _odd_value(rng: random.Random) -> object:
    odd = rng.choice((*ODD_TEXTS, *ODD_NUMBERS, [1], {"a": "b"}, ["x", None]))
    return odd


def _json_file(rng: random.Random, folder: Path, name: str) -> None:
    lines = [_json_line(rng, at) for at in range(rng.randrange(1, 20))]
    for _ in range(rng.randrange(1, 5)):
        row = json.loads(lines[0]) | {
            rng.choice(("text", "id", "url", "lang", "meta", "b\ud800")): _odd_value(
                rng
            )
        }
        lines.insert(rng.randrange(len(lines)) + 1, json.dumps(row) + "\n")
    raw = "".join(lines).encode("utf-8", "surrogatepass")
    if rng.random() < 0.4:
        raw = _bytes_at_random(rng, raw)
    if rng.random() < 0.2:
        raw = raw[: rng.randrange(len(raw))]
    packed = rng.choice(("", "", ".gz", ".zst"))
    if packed == ".gz":
        raw = gzip.compress(raw)
    elif packed == ".zst":
        import zstandard

        raw = zstandard.compress(raw)
    if packed and rng.random() < 0.5:
        raw = _bytes_at_random(rng, raw)
    (folder / f"{name}.jsonl{packed}").write_bytes(raw)


def _parquet_file(rng: random.Random, folder: Path, name: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = rng.randrange(1, 20)
    columns = [pa.array([" ".join(WORDS)] * n), pa.array(range(n)), _odd_column(rng, n)]
    names = ["text", "id", rng.choice(("url", "lang", "text", "id", "meta"))]
    at = rng.randrange(3)
    columns[at] = _odd_column(rng, n) if rng.random() < 0.5 else columns[at]
    table = pa.Table.from_arrays(columns, names=names)
    packed = rng.choice(("zstd", "none", "snappy"))
    path = folder / f"{name}.parquet"
    pq.write_table(table, path, compression=packed, row_group_size=rng.choice((1, 99)))
    if rng.random() < 0.3:
        path.write_bytes(_bytes_at_random(rng, path.read_bytes()))


def _odd_column(rng: random.Random, n: int):
    import pyarrow as pa

    return rng.choice(
        (
            lambda: pa.array([1.5] * n),
            lambda: pa.array([["a"]] * n),
            lambda: pa.array([{"a": "b"}] * n),
            lambda: pa.nulls(n),
            lambda: pa.array([b"\xff"] * n),
            lambda: pa.array([b"\xff"] * n).view(pa.string()),
            lambda: pa.array(["x"] * n).dictionary_encode(),
            lambda: pa.array(range(n), pa.timestamp("ns")),
            lambda: pa.array(["x" * 20_000] * n, pa.large_string()),
            lambda: pa.array([True] * n),
        )
    )()


def _crawl_file(rng: random.Random, folder: Path, name: str) -> None:
    raw = b""
    for at in range(rng.randrange(1, 8)):
        body = " ".join(rng.choices(WORDS, k=50)).encode()
        said = rng.choice((len(body),) * 4 + (len(body) + 90, 5, -1, "x", "", 10**12))
        head = (
            f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a/{at}\r\n"
        )
        raw += f"{head}Content-Length: {said}\r\n\r\n".encode() + body + b"\r\n\r\n"
    if rng.random() < 0.4:
        raw = _bytes_at_random(rng, raw)
    packed = rng.random() < 0.5
    target = folder / f"{name}.warc.wet{'.gz' if packed else ''}"
    target.write_bytes(gzip.compress(raw) if packed else raw)


def _text_file(rng: random.Random, folder: Path, name: str) -> None:
    odd = rng.choice(ODD_TEXTS).encode("utf-8", "surrogatepass") + b"\xff" * (
        rng.random() < 0.3
    )
    (folder / f"{name}{rng.choice(('.txt', '.csv', '', '.md.gz'))}").write_bytes(odd)


def _odd_name(rng: random.Random, folder: Path, name: str) -> None:
    odd = rng.choice((b"caf\xe9.jsonl", b"a b.jsonl", b"[x].jsonl", b"a\n.jsonl"))
    path = bytes(folder) + b"/" + name.encode() + odd
    with open(path, "w") as file:
        file.write(_json_line(rng, 0))


def _link(rng: random.Random, folder: Path, name: str) -> None:
    (folder / name).symlink_to(rng.choice((".", "..", "none.jsonl", "good.jsonl")))


FILES = (
    *(_json_file, _parquet_file) * 3,
    *(_crawl_file,) * 2,
    *(_text_file, _odd_name, _link),
)


def table_case(rng: random.Random, folder: Path) -> list[str]:
    """A table of runs with odd cells, and a command that reads it."""
    rows = _runs(rng)
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        rng.choice(TABLE_MUTATIONS)(rng, rows)
    kind = rng.choice(("csv", "csv", "parquet"))
    _write_table(rng, rows, folder / f"runs.{kind}")
    table = f"runs.{kind}"
    budget = str(rng.choice((1e19, 1e20, 1e22, 1e-300, "1e400", "nan", -1, 0, "x")))
    command = rng.choice(
        (
            ["fit", rng.choice(("chinchilla", "auto", "half_life", "kaplan")), table],
            ["fit", rng.choice(("power_floor", "annealing", "nope")), table],
            ["compare", table, "--arm", rng.choice(("data", "no", "value")), "--at"],
            ["isoflop", table],
            ["mixture", table],
        )
    )
    if command[0] == "fit":
        command += ["--bootstrap", rng.choice(("0", "10"))]
        command += rng.choice(([], ["--out", "fit.json"], ["--cluster", "seed"]))
        command += rng.choice(([], [], ["--arm", "data"], ["--json"]))
    if command[0] == "compare":
        command += [budget, "--bootstrap", "50"]
        command += rng.choice(([], ["--law", "chinchilla"], ["--cluster", "seed"]))
    if rng.random() < 0.2:
        command += ["--where", rng.choice(WHERE)]
    return command


WHERE = (
    *(
        "value < 3",
        "value",
        "1",
        "",
        "(" * 300,
        "no > 1",
        "data = 'a'",
        "value = value",
    ),
    *("value < 'x'", "data", "1/0 > 0", "drop table", "'", "value IN (1", "null", "é"),
)


def _runs(rng: random.Random) -> dict[str, list]:
    grid = [(n, d) for n in (1e7, 5e7, 2e8, 1e9) for d in (2e8, 1e9, 1e10, 5e10)]
    values = [1.8 + 400 / n**0.34 + 1200 / d**0.33 for n, d in grid]
    share = [rng.random() for _ in grid]
    rows: dict[str, list] = {
        "n_params": [n for n, _ in grid],
        "n_tokens_seen": [d for _, d in grid],
        "value": [v * (1 + 0.002 * rng.gauss(0, 1)) for v in values],
        "data": [rng.choice("ab") for _ in grid],
        "seed": [at % 3 for at in range(len(grid))],
    }
    if rng.random() < 0.4:
        rows |= {"share_a": share, "share_b": [1 - x for x in share]}
    if rng.random() < 0.3:
        rows["n_tokens_unique"] = [d / rng.choice((1, 4)) for _, d in grid]
    return rows


def _cell(rng: random.Random, rows: dict[str, list]) -> None:
    column = rng.choice(list(rows.values()))
    if not column:
        return
    column[rng.randrange(len(column))] = rng.choice((*ODD_NUMBERS, *ODD_TEXTS))


def _column(rng: random.Random, rows: dict[str, list]) -> None:
    name = rng.choice(list(rows))
    rows[name] = [rng.choice((*ODD_NUMBERS, "x", [1], {"a": 1}))] * len(rows[name])


def _scaled(rng: random.Random, rows: dict[str, list]) -> None:
    name = rng.choice(list(rows))
    by = rng.choice((1e300, 1e-300, 1e50, 0, -1, 1e10))
    rows[name] = [v * by if isinstance(v, float) else v for v in rows[name]]


def _fewer(rng: random.Random, rows: dict[str, list]) -> None:
    n = rng.choice((0, 1, 2, 5))
    for name in rows:
        rows[name] = rows[name][:n]


def _without(rng: random.Random, rows: dict[str, list]) -> None:
    if len(rows) > 1:
        del rows[rng.choice(list(rows))]


def _marked(rng: random.Random, rows: dict[str, list]) -> None:
    n = len(next(iter(rows.values())))
    rows["diverged"] = [rng.choice((0, 1, "yes", "", None, "maybe"))] * n


TABLE_MUTATIONS = (*(_cell,) * 6, *(_column, _scaled, _without, _marked) * 2, _fewer)


def _write_table(rng: random.Random, rows: dict[str, list], path: Path) -> None:
    import polars as pl

    if path.suffix == ".csv":
        lines = [",".join(rows), *map(_cells, zip(*rows.values(), strict=True))]
        raw = "\n".join(lines).encode("utf-8", "replace") + b"\n"
        path.write_bytes(_bytes_at_random(rng, raw) if rng.random() < 0.2 else raw)
        return
    columns = [_series(name, values) for name, values in rows.items()]
    if rng.random() < 0.1:
        columns = [c.cast(pl.String).cast(pl.Categorical) for c in columns[:2]]
    pl.DataFrame(columns).write_parquet(path)
    if rng.random() < 0.1:
        path.write_bytes(_bytes_at_random(rng, path.read_bytes()))


def _cells(row: tuple) -> str:
    texts = ("" if value is None else str(value) for value in row)
    return ",".join(f'"{t.replace(chr(34), "")}"' if "," in t else t for t in texts)


def _series(name: str, values: list):
    import polars as pl

    try:
        return pl.Series(name, values)
    except (TypeError, ValueError, OverflowError):
        texts = [str(value).encode("utf-8", "replace").decode() for value in values]
        return pl.Series(name, texts)


CASES = {"params": params_case, "documents": documents_case, "tables": table_case}
