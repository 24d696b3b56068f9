"""The page holds the numbers of the record, the plot tables those of the curves."""

import base64
import hashlib
import html
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from stages.decide import DecideParams
from stages.decide import run as run_decide
from stages.decision.record import read_decision
from stages.foundation.files import write_json
from stages.foundation.sealed import read_sealed, write_sealed
from stages.foundation.stage import ROOT
from stages.presentation.numbers import flops_text
from stages.presentation.plot_style import plt, svg
from stages.report import ReportParams, run
from stages.reporting import figures
from stages.reporting.page import STYLE, number
from stages.reporting.rows import (
    counted_runs,
    ledger_rows,
    pool_rows,
    training_time,
)
from stages.reporting.shown import draw, draw_verification
from stages.verification.words import lead_row, run_row

LEDGER = pl.DataFrame(
    [
        # pool, step, position, status, reason, documents, characters, tokens
        ("web", "set aside", 0, "in", "", 10, 1000, 500),
        ("web", "set aside", 0, "kept", "", 8, 800, 400),
        ("web", "set aside", 0, "dropped", "held out", 2, 200, 100),
        ("web", "deduplicate", 1, "in", "", 8, 800, 400),
        ("web", "deduplicate", 1, "kept", "", 5, 500, 250),
        ("web", "deduplicate", 1, "dropped", "copy", 1, 100, 50),
        ("web", "deduplicate", 1, "dropped", "near copy", 2, 200, 1100),
        ("code", "set aside", 0, "in", "", 4, 400, 200),
        ("code", "set aside", 0, "kept", "", 4, 400, 200),
        ("code", "deduplicate", 1, "in", "", 4, 400, 200),
        ("code", "deduplicate", 1, "kept", "", 3, 300, 150),
        ("code", "deduplicate", 1, "dropped", "copy", 1, 100, 50),
    ],
    schema=[
        "pool",
        "step",
        "position",
        "status",
        "reason",
        "documents",
        "characters",
        "tokens",
    ],
    orient="row",
)
MANIFEST = {
    "pools": {
        "web": {
            "documents": 10,
            "characters": 1000,
            "roles": {
                "pool": {"documents": 7},
                "reference": {"documents": 2},
                "heldout": {"documents": 1},
            },
            "content_hash": "abc",
            "origin": ["numpy 2.4 (docs)", "scipy 1.17 (docs)"],
            "licence": "BSD",
        },
        "code": {
            "documents": 4,
            "characters": 400,
            "roles": {
                "pool": {"documents": 4},
                "reference": {"documents": 0},
                "heldout": {"documents": 0},
            },
            "content_hash": "def",
            "origin": "raw/code.jsonl as given",
            "licence": "yours",
        },
    }
}


def prepared(question_folder, folder, **changes):
    shutil.copytree(question_folder, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_decide(DecideParams(target_flops=[3e7, 3e8, 1e10], **changes))
        LEDGER.write_csv("data/arms/ledger.csv")
        write_json("data/ingest/manifest.json", MANIFEST)
        write_json("data/metrics/sweep.json", {"trunks": 2, "unrecorded_trunks": 3})
        run(ReportParams(png_dpi=50))
    return folder


@pytest.fixture(scope="module")
def folder(question_folder, tmp_path_factory):
    return prepared(question_folder, tmp_path_factory.mktemp("report") / "copy")


@pytest.fixture(scope="module")
def page(folder):
    return html.unescape((folder / "data/report/index.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def record(folder):
    return read_decision(folder / "data/decisions/filter.json")


@pytest.fixture(scope="module")
def curves(folder):
    return pl.read_parquet(folder / "data/curves/filter.parquet")


def test_the_page_says_what_the_record_says(page, record):
    for text in (
        f"<title>Assay: {record.question.title}</title>",
        f'<p class="answer">{record.sentence}</p>',
        f'<span class="status">decided</span> {record.reason}',
        f"proxies of {record.n_params.value:,} non-embedding parameters",
        f"a pool of {record.pool_unique_tokens:,} unique tokens",
        "held-out loss on “news” in nats a token",
        "Intervals are 90 %, those of the controls 95 %.",
        f"means over {record.n_draws} resamples",
        record.law.title,
        record.law.formula,
        record.law.chosen_because,
        record.heldout_check.text,
        record.next_run.text,
        f"could detect: {record.smallest_detectable_effect_nats:.4g} nats.",
    ):
        assert text in page, text


def cells(page, table):
    """The text of the cells of one row after another."""
    return [
        re.findall(r"<td[^>]*>(.*?)</td>", row)
        for row in re.findall(r"<tr.*?</tr>", table)
    ]


def test_every_cell_of_every_table_of_the_record_stands_on_the_page(page, record):
    shown = [row for row in cells(page, page) if row]
    tables = record.tables.model_dump()
    # tables of a question with several judges
    assert {name for name in tables if not tables[name]} == {"judges", "judged"}
    for rows in tables.values():
        for row in rows:
            wanted = [number(value) for key, value in row.items() if key != "_best"]
            assert wanted in shown


def test_the_decided_budgets_stand_out(page, record):
    n_decided = sum(target.status == "decided" for target in record.targets)
    assert n_decided == 2 and page.count('<tr class="best">') == n_decided


def test_the_page_counts_the_runs_and_names_the_files(page):
    assert "48 trunks" in page and "288 checkpointed budgets" in page
    assert "2 model sizes, 6 token budgets, 4 resamples" in page
    assert "trained on cpu" in page
    assert "<code>data/decisions/filter.json</code>" in page
    assert page.count("<svg") == 4


def test_runs_that_could_not_be_recorded_are_a_sentence_on_the_page(
    page, folder, tmp_path, monkeypatch
):
    assert "3 of them took their steps one by one" in page
    shutil.copytree(folder, tmp_path / "other")
    monkeypatch.chdir(tmp_path / "other")
    write_json("data/metrics/sweep.json", {"trunks": 2})
    run(ReportParams(png_dpi=50))
    assert "one by one" not in Path("data/report/index.html").read_text("utf-8")


def test_pictures_lie_beside_the_page(folder):
    names = {file.name for file in (folder / "data/report").iterdir()}
    assert names == {
        "index.html",
        "retention.png",
        "filter-loss.png",
        "filter-advantage.png",
        "filter-heldout.png",
    }


def test_the_stage_writes_page_pictures_and_plot_tables(question_folder, tmp_path):
    """All that the tests around this one look at, of a run of its own."""
    folder = prepared(question_folder, tmp_path / "copy")
    page = html.unescape((folder / "data/report/index.html").read_text("utf-8"))
    record = read_decision(folder / "data/decisions/filter.json")
    curves = pl.read_parquet(folder / "data/curves/filter.parquet")
    test_the_page_says_what_the_record_says(page, record)
    test_every_cell_of_every_table_of_the_record_stands_on_the_page(page, record)
    test_the_decided_budgets_stand_out(page, record)
    test_the_page_counts_the_runs_and_names_the_files(page)
    test_pictures_lie_beside_the_page(folder)
    test_plot_tables_hold_the_curves_with_low_below_high(folder, curves)
    test_the_check_and_the_retention_are_plot_tables_too(folder, record)


def test_what_was_trained_after_the_decision_stands_on_the_page(
    question_folder, tmp_path, verification
):
    copy = shutil.copytree(question_folder, tmp_path / "copy")
    known = verification()
    rows = [run_row(run, known.labels) for run in known.runs]
    leads = [lead_row(lead, known.verdicts, known.labels) for lead in known.leads]
    known = verification(table=rows, lead_table=leads)
    known.write(copy / "data/verify/filter.json")
    folder = prepared(copy, tmp_path / "shown")
    page = html.unescape((folder / "data/report/index.html").read_text("utf-8"))
    assert "Trained afterwards: predicted against measured" in page
    assert f"<p>{known.sentence}</p>" in page
    shown = cells(page, page)
    for row in [*rows, *leads]:
        assert [number(value) for value in row.values()] in shown
    assert (folder / "data/report/filter-verified.png").is_file()
    assert page.count("<svg") == 5


def test_without_runs_after_the_decision_the_page_says_nothing_of_them(
    question_folder, tmp_path, verification
):
    copy = shutil.copytree(question_folder, tmp_path / "copy")
    verification(runs=[], leads=[]).write(copy / "data/verify/filter.json")
    folder = prepared(copy, tmp_path / "shown")
    page = (folder / "data/report/index.html").read_text("utf-8")
    assert "Trained afterwards" not in page


def test_the_figure_of_what_was_trained_has_a_point_a_run_and_a_line_an_arm(
    folder, record, verification, monkeypatch
):
    monkeypatch.chdir(folder)
    [axes] = draw_verification(record, verification()).axes
    drawn = {line.get_label(): line for line in axes.lines}
    assert drawn["keep a"].get_xdata().tolist() == [2e9, 8e9]
    assert drawn["keep a"].get_ydata().tolist() == [4.05, 4.0]
    predicted = [line for line in axes.lines if line.get_label().startswith("_")]
    assert [line.get_ydata().tolist() for line in predicted] == [
        [4.05, 4.08],
        [4.08, 4.0],
    ]
    plt.close("all")


def test_with_another_level_the_page_says_so_and_draws_it(
    question_folder, tmp_path, curves
):
    folder = prepared(question_folder, tmp_path / "copy", level=0.6)
    page = (folder / "data/report/index.html").read_text("utf-8")
    assert (
        "Intervals are 60 %, those of the law's parameters and of the check on unseen"
        " runs 90 %, those of the controls 95 %." in html.unescape(page)
    )
    narrow = pl.read_csv(folder / "data/plots/loss_by_flops.csv")
    wide = curves.filter(kind="loss")
    assert ((narrow["high"] - narrow["low"]) < (wide["high"] - wide["low"])).all()


def test_plot_tables_hold_the_curves_with_low_below_high(folder, curves):
    for name, kind, column in (
        ("loss_by_flops", "loss", "loss_nats"),
        ("advantage", "difference", "loss_difference_nats"),
    ):
        table = pl.read_csv(folder / f"data/plots/{name}.csv")
        assert table.columns == ["question", "arm", "flops", column, "low", "high"]
        wanted = curves.filter(kind=kind)
        assert set(table["question"]) == {"filter"}
        assert table["arm"].to_list() == wanted["arm"].to_list()
        for ours, theirs in (
            ("flops", "flops"),
            (column, "value"),
            ("low", "low"),
            ("high", "high"),
        ):
            # six decimals
            assert (table[ours] - wanted[theirs]).abs().max() <= 1e-6 * max(
                1, wanted[theirs].abs().max()
            )


def test_the_check_and_the_retention_are_plot_tables_too(folder, record):
    checked = pl.read_csv(folder / "data/plots/heldout_check.csv")
    assert checked["question"].unique().to_list() == ["filter"]
    rows = record.heldout_check.rows
    assert checked["arm"].to_list() == [row.arm for row in rows]
    for column in ("measured", "predicted", "low", "high", "n_params", "flops"):
        assert checked[column].to_list() == pytest.approx(
            [getattr(row, column) for row in rows], abs=1e-6
        )
    retained = pl.read_csv(folder / "data/plots/retention.csv")
    assert retained.to_dict(as_series=False) == {
        "step": ["read", "set aside", "deduplicate"],
        "tokens": [700, 600, 400],
    }


def test_the_ledger_adds_the_pools_and_names_the_largest_reason_first():
    assert ledger_rows(LEDGER) == [
        {
            "step": "read",
            "documents kept": 14,
            "characters kept": 1400,
            "tokens kept": 700,
            "left out, by reason": "",
        },
        {
            "step": "set aside",
            "documents kept": 12,
            "characters kept": 1200,
            "tokens kept": 600,
            "left out, by reason": "held out 2 (100 tokens)",
        },
        {
            "step": "deduplicate",
            "documents kept": 8,
            "characters kept": 800,
            "tokens kept": 400,
            "left out, by reason": ("near copy 2 (1,100 tokens), copy 2 (100 tokens)"),
        },
    ]


def test_pools_are_shown_by_what_becomes_of_their_documents():
    web, code = pool_rows(MANIFEST)
    assert web == {
        "pool": "web",
        "documents": 10,
        "characters": 1000,
        "to train on": 7,
        "reference": 2,
        "held out": 1,
        "content hash": "abc",
        "from": "numpy, scipy",
        "licence": "BSD",
    }
    assert code["from"] == "raw/code.jsonl as given" and code["licence"] == "yours"


def test_runs_are_counted_by_what_they_are():
    runs = pl.DataFrame(
        {
            "trunk_id": ["a", "a", "b"],
            "run_id": ["a-1", "a-2", "b-1"],
            "n_params": [1, 1, 2],
            "n_tokens_seen": [1, 2, 1],
            "pool_draw": [0, 0, 0],
            "device": ["cuda", "cpu", "cuda"],
        }
    )
    found = counted_runs(runs)
    assert (found.n_trunks, found.n_rows, found.n_sizes) == (2, 3, 2)
    assert (found.n_budgets, found.n_draws, found.device) == (2, 1, "cpu, cuda")


def test_the_next_run_is_priced_in_hours_of_what_trained_its_size(record):
    """1,000 parameters trained for 30 and 60 s on 1e9 and 3e9 FLOPs: 3.6e12 FLOPs are 81,000 s, 22.5 hours."""
    runs = pl.DataFrame(
        {
            "trunk_id": ["a", "a", "b", "c", "d"],
            "n_params": [1000, 1000, 1000, 500, 1000],
            "n_tokens_seen": [1, 2, 2, 2, 1],
            "seconds": [10.0, 30.0, 60.0, 5.0, 100.0],
            "flops": [5e8, 1e9, 3e9, 1e9, 1e8],
            "device": ["cpu", "cpu", "cpu", "cpu", "cuda"],
        }
    )
    wanted = {"n_params": 1000.0, "flops": 3.6e12}
    advised = record.next_run.model_copy(update=wanted)
    asked = record.model_copy(update={"next_run": advised})
    assert training_time(asked, runs) == (
        "About 22 core-hours at the speed of this sweep."
    )
    on_cards = runs.with_columns(device=pl.lit("cuda (NVIDIA H200)"))
    assert "GPU-hours" in training_time(asked, on_cards)
    assert training_time(asked, runs.with_columns(seconds=pl.lit(0.0))) == ""
    other = asked.model_copy(
        update={"next_run": advised.model_copy(update={"n_params": 7.0})}
    )
    assert training_time(other, runs) == ""
    assert training_time(record.model_copy(update={"next_run": None}), runs) == ""


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        (False, "no"),
        (0.0123456, "0.01235"),
        (123456.7, "1.235e+05"),
        (1e6, "1.000e+06"),
        (-2.5e7, "-2.500e+07"),
        (999_999.0, "1e+06"),
        (1234567, "1,234,567"),
        (None, "–"),
        ("text", "text"),
    ],
)
def test_numbers_for_a_person(value, shown):
    assert number(value) == shown


def test_the_figures_show_the_curves_points_and_flips_of_the_record(
    folder, record, curves, monkeypatch
):
    monkeypatch.chdir(folder)
    drawn = draw(record)
    assert list(drawn) == ["loss", "advantage", "heldout"]
    [axes] = drawn["loss"].axes
    assert axes.get_ylabel() == "held-out loss (nats a token)"
    for i, arm in enumerate(record.labels):
        line = axes.get_lines()[2 * i]
        wanted = curves.filter(kind="loss", arm=arm)
        assert list(line.get_ydata()) == wanted["value"].to_list()
        points = axes.get_lines()[2 * i + 1]
        assert list(points.get_ydata()) == [
            p.value for p in record.points if p.arm == arm
        ]
        band = axes.collections[i].get_paths()[0].vertices[:, 1]
        assert band.max() == wanted["high"].max() and band.min() == wanted["low"].min()
    flip = record.crossovers_drawn[0]
    assert flip.flops in [line.get_xdata()[0] for line in axes.get_lines()]
    [advantage] = drawn["advantage"].axes
    assert advantage.get_ylabel() == "loss less that of: keep everything (nats)"
    [line] = [
        line
        for line in advantage.get_lines()
        if line.get_label() == "keep the best 20 %"
    ]
    wanted = curves.filter(kind="difference", arm="keep_20")["value"].to_list()
    assert list(line.get_ydata()) == wanted
    [heldout] = drawn["heldout"].axes
    assert heldout.get_xlabel() == "measured loss (nats a token)"
    first = heldout.containers[0].lines[0]
    rows = [row for row in record.heldout_check.rows if row.arm == "keep_20"]
    assert list(first.get_xdata()) == [row.measured for row in rows]
    assert list(first.get_ydata()) == [row.predicted for row in rows]
    plt.close("all")


def dotted(axes):
    """Where the figure says that what was measured ends."""
    return [
        line.get_xdata()[0] for line in axes.get_lines() if line.get_linestyle() == ":"
    ]


def test_figures_end_the_measured_compute_and_shade_open_flips_to_the_end(
    folder, record, monkeypatch
):
    monkeypatch.chdir(folder)
    [flip] = record.crossovers
    open_ended = flip.model_copy(update={"low": None, "high": None})
    closed = flip.model_copy(update={"low": 2e7, "high": 4e9})
    found = record.model_copy(
        update={"crossovers": [open_ended], "crossovers_drawn": [closed]}
    )
    drawn = draw(found)
    for name in ("loss", "advantage"):
        [axes] = drawn[name].axes
        assert dotted(axes) == [record.measured_to_flops]
        assert axes.get_xscale() == "log"
        assert axes.get_xlabel() == "training FLOPs (6ND)"
        [shade] = axes.patches
        ends = shade.get_window_extent().transformed(axes.transData.inverted())
        assert (ends.x0, ends.x1) == pytest.approx((2e7, 4e9))
    plt.close("all")


def test_error_bars_reach_from_low_to_high(folder, record, monkeypatch):
    monkeypatch.chdir(folder)
    rows = [
        row.model_copy(update={"low": row.predicted - 0.1, "high": row.predicted + 0.3})
        for row in record.heldout_check.rows
    ]
    check = record.heldout_check.model_copy(update={"rows": rows})
    drawn = draw(record.model_copy(update={"heldout_check": check}))
    [axes] = drawn["heldout"].axes
    for arm, container in zip(record.labels, axes.containers, strict=True):
        [row] = [row for row in rows if row.arm == arm]
        [[bar]] = [lines.get_segments() for lines in container.lines[2]]
        assert bar[:, 0] == pytest.approx([row.measured] * 2)
        assert bar[:, 1] == pytest.approx([row.low, row.high])
    plt.close("all")


def test_the_retention_figure_is_in_million_tokens(folder, monkeypatch):
    monkeypatch.chdir(folder)
    seen = []
    draw_retention = figures.retention
    monkeypatch.setattr(
        figures,
        "retention",
        lambda ledger: seen.append(draw_retention(ledger)) or seen[0],
    )
    run(ReportParams(png_dpi=50))
    [axes] = seen[0].axes
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(
        [700e-6, 600e-6, 400e-6]
    )
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["read", "set aside", "deduplicate"]
    assert axes.get_xlabel() == "million tokens"
    assert axes.yaxis_inverted()  # the first step on top


def test_the_same_figure_gives_the_same_bytes(folder, record, monkeypatch):
    monkeypatch.chdir(folder)
    one, other = (svg(draw(record)["loss"]) for _ in range(2))
    assert one == other and one.startswith("<svg")
    plt.close("all")


def poisoned(value):
    """Every text of a record that is free, with markup in it; names and codes stay."""
    if isinstance(value, dict):
        return {key: poisoned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each) for each in value]
    free = isinstance(value, str) and " " in value
    return f"{value}<script>'\"&lt;</script>" if free else value


def test_no_text_of_a_record_becomes_markup(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(folder, tmp_path / "copy"))
    path = "data/decisions/filter.json"
    write_sealed(path, poisoned(read_sealed(path, "")))
    manifest = MANIFEST["pools"]["code"] | {"licence": "a <script> b"}
    write_json("data/ingest/manifest.json", {"pools": {"<script>": manifest}})
    run(ReportParams(png_dpi=50))
    page = Path("data/report/index.html").read_text("utf-8")
    assert page.count("<script") == page.count("</script>") == 1
    assert page.count("&lt;script&gt;") > 50


@pytest.fixture(scope="module")
def source(folder):
    """The page as it is written, references not resolved."""
    return (folder / "data/report/index.html").read_text("utf-8")


def test_the_page_is_small_and_asks_nobody_for_anything(source):
    assert len(source.encode()) < 2e6
    assert not re.findall(r"<(?:link|img|iframe|object|embed|form)\b", source)
    assert not re.findall(r"\bsrc=|@import|url\((?!#)", source)
    [script] = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    [policy] = re.findall(r'Security-Policy" content="([^"]+)"', source)
    assert policy.split("; ") == [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        f"script-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not re.findall(r"<[^>]+\son\w+=", source.replace(script, ""))


def test_ids_are_unique_and_references_lead_somewhere(source):
    ids = re.findall(r'\bid="([^"]+)"', source)
    assert len(ids) == len(set(ids)) > 100
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', source)) <= set(ids)


def test_every_figure_is_told_in_words_and_has_a_caption(source):
    pictures = re.findall(
        r'<figure><svg[^>]*?role="img"[^>]*?aria-label="[^"]{30,}".*?</svg>'
        r"<figcaption>[^<]{20,}",
        source,
        re.DOTALL,
    )
    assert len(pictures) == source.count("<svg") == 4


def test_the_points_of_the_page_are_those_of_the_record(source, record):
    told = [html.unescape(text) for text in re.findall(r"<title>(.*?)</title>", source)]
    for point in record.points:
        assert (
            f"{record.labels[point.arm]}: {flops_text(point.flops)} training FLOPs"
            f" (6ND), {point.value:.4g} held-out loss (nats a token)"
        ) in told
    # the page's own title, the points, and those of the check
    rows = record.heldout_check.rows
    assert len(told) == 1 + len(record.points) + len(rows)


def test_each_arm_has_its_box_in_the_colour_of_its_curve(source, record):
    boxes = re.findall(
        r'value="(\d)"> <span class="swatch" style="background: (#\w+)"></span> ([^<]+)<',
        source,
    )
    labels = list(record.labels.values())
    assert [(int(n), html.unescape(label)) for n, _, label in boxes] == list(
        enumerate(labels)
    )
    for place, colour, _ in boxes:
        [curve] = re.findall(
            rf'id="question1-loss-arm{place}-curve".*?stroke: (#\w+)',
            source,
            re.DOTALL,
        )
        assert curve.lower() == colour.lower()


def luminance(colour):
    """WCAG 2: relative luminance of #rgb or #rrggbb."""
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
    ]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_text_stands_out_from_every_ground_it_lies_on_by_day_and_by_night():
    assert luminance("#fff") == pytest.approx(1) and luminance("#000") == 0
    style = (ROOT / STYLE).read_text("utf-8")
    schemes = [
        dict(re.findall(r"--(\w+): (#\w+)", block))
        for block in re.findall(r":root \{([^}]*)\}", style)
    ]
    assert len(schemes) == 3
    for colours in schemes:
        for text in ("text", "soft", "link"):
            for ground in ("page", "mild"):
                dark, light = sorted(luminance(colours[c]) for c in (text, ground))
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_a_title_of_the_user_cannot_become_markup(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(folder, tmp_path / "copy"))
    path = "data/decisions/filter.json"
    title = {"question": {"name": "filter", "title": "<b>5 & 6"}}
    write_sealed(path, read_sealed(path, "") | title)
    run(ReportParams(png_dpi=50))
    page = (tmp_path / "copy/data/report/index.html").read_text("utf-8")
    assert "<h1>&lt;b&gt;5 &amp; 6</h1>" in page and "<b>5" not in page
