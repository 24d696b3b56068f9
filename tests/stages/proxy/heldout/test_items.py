"""Items scored at every budget of a run, with the result file and the runs table."""

import json

import numpy as np
import pytest

from stages.proxy.heldout.choices import ChoiceItems
from stages.proxy.heldout.items import Items
from stages.proxy.heldout.pass_until import PassItems
from stages.proxy.specs.spec import RunResult
from stages.proxy.training.data import ProxyData
from stages.proxy.training.train import train_group
from stages.runs.run_files import curves, rows_of, runs_table


def follower(token, step):
    return (token * 7 + step) % 63 + 1


@pytest.fixture(scope="module")
def quiz():
    """Questions in the small language of the tests: the right choice is a word that may follow, the
    wrong one is not.
    """
    questions = [np.array([1, word]) for word in range(2, 42)]
    right = [np.array([follower(int(question[-1]), 1)]) for question in questions]
    wrong = [np.array([follower(int(question[-1]), 30)]) for question in questions]
    choices = ChoiceItems(
        questions,
        [list(pair) for pair in zip(right, wrong, strict=True)],
        [[1, 1]] * 40,
        [0] * 40,
        np.array([1]),
        0,
    )
    spelled = [b"\0"] + [bytes([token]) for token in range(1, 64)]
    passes = PassItems(
        questions[:8],
        [bytes(each.astype(np.uint8)) for each in right[:8]],
        spelled,
        0,
        r_passes=16,
        cap=5_000,
    )
    return Items("quiz", "abc", choices, passes)


def test_items_follow_the_loss_and_come_back_alone_as_in_a_stack(data, quiz, make_spec):
    asked = ProxyData(data.views, data.held_out, quiz)
    specs = [
        make_spec(seed=seed, budgets_tokens=(1280, 19_200), lr=0.02) for seed in (1, 2)
    ]
    stacked = train_group(specs, asked, device="cpu")
    [alone] = train_group(specs[:1], asked, device="cpu")
    first, last = stacked[0].budgets
    assert last.items["correct_nats_quiz"][0] < first.items["correct_nats_quiz"][0]
    assert (
        last.items["accuracy_quiz"][0] > 0.65
        and last.items["pass_rate_quiz"][0] > first.items["pass_rate_quiz"][0]
    )
    for name, (value, _) in last.items.items():
        assert alone.budgets[-1].items[name][0] == pytest.approx(value, rel=1e-3)


def test_item_metrics_are_rows_of_the_runs_table_and_absent_where_nothing_was_asked(
    data, quiz, make_spec
):
    header = {
        "trunk_id": "t",
        "arm": "all",
        "control": "",
        "data_hash": "d",
        "code_hash": "c",
    }
    [plain] = train_group([make_spec(budgets_tokens=(1280,))], data, device="cpu")
    assert "items" not in plain.to_dict()["budgets"][0]
    [result] = train_group(
        [make_spec(budgets_tokens=(1280,))],
        ProxyData(data.views, data.held_out, quiz),
        device="cpu",
    )
    written = json.loads(json.dumps(result.to_dict()))
    assert RunResult.from_dict(written).budgets[0].items == result.budgets[0].items
    table = runs_table([{**header, "result": written}])
    assert set(table["metric"]) == {"loss_held", "bpb_held", *result.budgets[0].items}
    row = table.filter(metric="accuracy_quiz").row(0, named=True)
    assert (row["value"], row["value_se"]) == result.budgets[0].items["accuracy_quiz"]
    assert {
        row["metric"] for row in rows_of({**header, "result": plain.to_dict()})
    } == {"loss_held", "bpb_held"}
    frame = curves([{**header, "result": written}])
    assert frame["n_tokens_seen"].max() == 1280 and frame["loss_nats"].is_finite().all()
