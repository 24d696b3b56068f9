"""A finished trunk is one file; what is not there, or not what was written, is not finished."""

import json
import math

import pytest

from stages.foundation.errors import InputError
from stages.foundation.files import content_hash, read_json, write_json
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.runs.run_files import (
    CARRIED_ON,
    CURVE,
    RUNS,
    curves,
    finished,
    is_finished,
    metrics_of,
    run_id,
    save_run,
    sound,
    trunk_files,
)

SPEC = RunSpec(
    arm="all/0",
    shape=Shape(16, 1, 1, 32, 64),
    budgets_tokens=(256, 512),
    batch_tokens=128,
)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def save(whole_run):
    """save(trunk_id, folder=...): write a run; its header and result."""

    def saved(trunk_id, *folder, **changes):
        head, result = whole_run(trunk_id, SPEC, **changes)
        save_run(head | {"spec": SPEC}, result, *folder)
        return head, result

    return saved


def test_a_trunk_is_saved_without_its_spec_and_with_the_hash_of_its_contents(save):
    trunk = {"trunk_id": "abc", "spec": SPEC}
    assert not is_finished(trunk)
    head, result = save("abc")
    assert is_finished(trunk)
    assert [file.name for file in RUNS.iterdir()] == ["abc.json"]
    whole = {**head, "result": result}
    assert read_json(RUNS / "abc.json") == whole | {"content_hash": content_hash(whole)}
    assert finished(["abc"]) == [whole]


def test_what_is_carried_on_lies_in_a_folder_of_its_own(save):
    _, result = save("abc", CARRIED_ON)
    trunk = {"trunk_id": "abc"}
    assert is_finished(trunk, CARRIED_ON) and not is_finished(trunk)
    assert [run["result"] for run in finished(["abc"], CARRIED_ON)] == [result]
    assert finished(["abc"]) == []


def test_finished_runs_come_in_the_order_asked_for_and_no_others(save):
    for name in ("b", "a", "stray"):
        save(name)
    assert [run["trunk_id"] for run in finished(["a", "gone", "b"])] == ["a", "b"]


def digit(text):
    """The first loss, 3.0, becomes 3.1."""
    return text.replace('"loss_nats": 3.0', '"loss_nats": 3.1', 1)


def lower(text):
    """Every loss 30 % lower, those of the documents too."""
    run = json.loads(text)
    for budget in run["result"]["budgets"]:
        score = budget["held_out"]["news"]
        score["loss_nats"] *= 0.7
        score["document_loss_nats"] = [x * 0.7 for x in score["document_loss_nats"]]
    return json.dumps(run)


def resealed(change):
    """As a writer that is wrong would have it: the hash is that of the changed contents."""

    def changed(text):
        run = json.loads(text)
        del run["content_hash"]
        change(run)
        return json.dumps(run | {"content_hash": content_hash(run)})

    return changed


def news(run):
    return run["result"]["budgets"][0]["held_out"]["news"]


HARMS = {
    "a changed digit": digit,
    "a loss 30 % lower": lower,
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "an empty object": lambda text: "{}",
    "a list": lambda text: "[]",
    "zeros": lambda text: "\0" * len(text),
    "the name of the hash changed": lambda text: text.replace('"content_', '"kontent_'),
    "not UTF-8": lambda text: text.encode().replace(b"cpu", b"\xff\xfe\xff"),
    "nested without end": lambda text: "[" * 100_000,
    "nan": resealed(lambda run: news(run).update(loss_nats=math.nan)),
    "below zero": resealed(lambda run: news(run).update(loss_nats=-1.0)),
    "zero": resealed(lambda run: news(run).update(loss_nats=0.0)),
    "infinite FLOPs": resealed(
        lambda run: run["result"]["budgets"][0].update(flops=math.inf)
    ),
    "no tokens": resealed(
        lambda run: run["result"]["budgets"][0].update(n_tokens_seen=0)
    ),
    "text for a number": resealed(lambda run: news(run).update(loss_nats="low")),
    "no budget": resealed(lambda run: run["result"].update(budgets=[])),
    "another spec": resealed(lambda run: run["result"]["spec"].update(seed=9)),
}


@pytest.mark.parametrize("name", HARMS)
def test_a_damaged_file_is_named_when_read_and_set_aside_when_asked_for(
    save, caplog, name
):
    save("abc")
    save("good")
    file = RUNS / "abc.json"
    content = HARMS[name](file.read_text())
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if name != "another spec":  # which only the plan can tell
        with pytest.raises(InputError) as refused:
            finished(["abc", "good"])
        message = str(refused.value)
        assert message.startswith(f"{file} is damaged (")
        assert message.endswith("; delete it and `assay run` trains it again")
        assert "\n" not in message and len(message) < 300
        assert [run["trunk_id"] for run in sound(trunk_files())] == ["good"]
        assert "sweep: left out: data/sweep/runs/abc.json is damaged" in caplog.text
    assert file.is_file(), "who only reads moves nothing"
    assert not is_finished({"trunk_id": "abc", "spec": SPEC})
    assert "set aside as abc.json.damaged" in caplog.text
    assert sorted(path.name for path in RUNS.iterdir()) == [
        "abc.json.damaged",
        "good.json",
    ]
    save("abc")
    assert is_finished({"trunk_id": "abc", "spec": SPEC})
    assert [run["trunk_id"] for run in finished(["abc", "good"])] == ["abc", "good"]


def test_the_file_of_another_arm_is_not_taken(save):
    save("abc")
    save("other", arm="easy")
    (RUNS / "abc.json").write_bytes((RUNS / "other.json").read_bytes())
    with pytest.raises(
        InputError, match=r"abc.json is damaged \(it holds the run other"
    ):
        finished(["abc"])
    assert not is_finished({"trunk_id": "abc", "spec": SPEC})
    assert is_finished({"trunk_id": "other", "spec": SPEC})


def test_a_run_that_diverged_may_have_any_loss(save, whole_run):
    head, result = whole_run("abc", SPEC, loss=math.nan)
    for budget in result["budgets"]:
        budget["diverged"] = True
    save_run(head, result)
    assert is_finished({"trunk_id": "abc", "spec": SPEC})


def old_file(whole_run):
    """A run file as it was before files carried a hash, under its true name."""
    head, result = whole_run("", SPEC)
    name = content_hash([SPEC.to_dict() | {"arm": "all"}, "data", "code"])
    run = head | {"trunk_id": name, "result": result}
    write_json(RUNS / f"{name}.json", run)
    return RUNS / f"{name}.json", run


def test_a_file_without_a_hash_is_taken_and_said(whole_run, caplog):
    file, run = old_file(whole_run)
    caplog.set_level("INFO")
    before = file.stat().st_mtime_ns
    assert is_finished({"trunk_id": file.stem, "spec": SPEC})
    assert finished([file.stem]) == [run]
    assert "1 of 1 run files are of an older version and carry no hash" in caplog.text
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda run: news(run).update(loss_nats=2.1), "not the mean of its documents"),
        (
            lambda run: run["result"]["budgets"][1].update(flops=1e9),
            "do not follow from its spec",
        ),
        (lambda run: run["result"]["spec"].update(lr=0.013), "not those of its name"),
        (lambda run: run.update(data_hash="dat4"), "not those of its name"),
        (lambda run: run["result"]["budgets"].pop(), "budgets are not those"),
    ],
)
def test_a_file_without_a_hash_is_held_to_its_own_arithmetic(whole_run, change, why):
    file, run = old_file(whole_run)
    change(run)
    write_json(file, run)
    with pytest.raises(InputError, match=why):
        finished([file.stem])


def test_a_budget_is_named_by_its_trunk_and_its_tokens():
    assert run_id({"trunk_id": "abc"}, {"budget_tokens": 2048}) == "abc-2048"


def test_the_error_of_bits_is_that_of_nats_in_their_unit():
    score = {"loss_nats": 2.0, "bits_per_byte": 1.0, "standard_error_nats": 0.1}
    budget = {"held_out": {"news": score}, "items": {"accuracy": (0.5, 0.02)}}
    assert list(metrics_of(budget)) == [
        {"name": "loss_news", "value": 2.0, "standard_error": 0.1},
        {"name": "bpb_news", "value": 1.0, "standard_error": 0.05},
        {"name": "accuracy", "value": 0.5, "standard_error": 0.02},
    ]


def test_curves_of_runs_that_were_watched_say_more_and_others_what_they_did(whole_run):
    def run(trunk_id, **more):
        head, result = whole_run(trunk_id, SPEC)
        points = {name: [1, 2] for name in CURVE}
        return head | {"result": result | {"curve": points | more}}

    plain = curves([run("a")])
    assert "attention_logit" not in plain.columns
    watched = run("b", attention_logit=[3.0, 4.0], gradient_rms=[0.5, 0.25])
    both = curves([run("a"), watched])
    assert both["attention_logit"].to_list() == [None, None, 3.0, 4.0]
    assert both.select(plain.columns).filter(trunk_id="a").equals(plain)
