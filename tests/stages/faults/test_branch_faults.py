"""What the sections of params.yaml together cannot give a question about branches, before any work."""

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from stages.faults.branch_faults import branch_fault
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.proxy.specs.layout import weight_sizes
from stages.proxy.specs.shape import Shape
from stages.settings.params import load_params

BRANCH = {"base": "keep_100", "at_tokens": 131_072, "tokens": [16_384, 32_768]}


def with_branch(changes, **sections):
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    question = {"title": "Which?", "arms": ["keep_10"], "branch": BRANCH | changes}
    params["arms"]["questions"]["mid"] = question
    for name, each in sections.items():
        params[name] |= each
    return params


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        ({"tokens": [1000]}, "branch.tokens: 1000 tokens are no whole .* use 1024"),
        ({"at_tokens": 1000}, "branch.at_tokens: 1000 tokens are no whole"),
        ({"loss": "answer"}, "branch.loss: answer needs documents with a prompt"),
        ({"sizes": ["25k", "25k"]}, "mid.branch.sizes: '25k' stands twice"),
        ({"sizes": ["7k"]}, "mid.branch.sizes: no size '7k'; sizes are 6k"),
        ({"checkpoint": "x.safetensors"}, "branch.checkpoint: x.safetensors: no such"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(refused, branch, message):
    refused(with_branch(branch), message)


def test_answers_alone_have_no_z_loss(refused):
    params = with_branch({"loss": "answer"}, sweep={"z_loss": 1e-4})
    params["ingest"]["pools"]["qa"] = {"path": "qa.jsonl", "prompt": "ask"}
    refused(params, "branch.loss: answer has no z_loss, and sweep.z_loss is 0.0001")


@pytest.mark.parametrize(
    ("key", "name", "settings"),
    [
        ("arms", "mid-keep_10", {"keep": 0.3}),
        ("arms", "mid-same", {"keep": 0.3}),  # the twin of the base
        ("arms", "keep_100-trunk", {"keep": 0.3}),
        ("controls", "mid-keep_10", {"like": "keep_20", "kind": "drop_half"}),
    ],
)
def test_names_that_branches_take_are_not_free(refused, key, name, settings):
    params = with_branch({})
    params["arms"][key][name] = settings
    refused(params, f"arms.{key}.{name}: the question 'mid' makes an arm of this name")


def test_two_questions_do_not_make_one_arm(refused):
    params = with_branch({})
    params["arms"]["arms"] |= {"x-a": {"keep": 0.3}, "a": {"keep": 0.4}}
    for name, arm in (("mid", "x-a"), ("mid-x", "a")):
        question = {"title": "Which?", "arms": [arm], "branch": BRANCH}
        params["arms"]["questions"][name] = question
    refused(params, "questions.mid-x: makes an arm 'mid-x-a', as the question 'mid'")


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("added", [{"arm": "late", "size": "6k", "tokens": 16_384}]),
        ("decay_mix", {"keep_100": "late"}),
    ],
)
def test_what_branches_alone_train_has_no_run_from_the_start(
    refused, tmp_path, key, asked
):
    params = with_branch({}, sweep={key: asked})
    params["arms"]["arms"]["late"] = {"keep": 0.3}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    load_params(tmp_path / "params.yaml", PIPELINE)
    params["arms"]["questions"]["mid"]["arms"] = ["late"]
    refused(params, f"sweep.{key}: the arm 'late' is trained in branches alone")


def test_branches_are_verified_by_name_and_others_are_no_question(refused, tmp_path):
    asked = with_branch({}, verify={"questions": ["mid"]})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(asked))
    params = load_params(tmp_path / "params.yaml", PIPELINE)
    assert params["verify"].questions == ["mid"]
    refused(
        with_branch({}, verify={"questions": ["mid-web"]}),
        "verify.questions: no question 'mid-web'; there are",
    )


def test_a_falling_stable_rate_has_no_trunk(refused):
    power = {"tuning": {"rule": "power"}}
    refused(
        with_branch({}, sweep=power),
        "branch.base: the trunk of sweep.tuning.rule power",
    )


def test_a_checkpoint_is_held_to_the_model_and_vocabulary(refused, tmp_path):
    file = tmp_path / "mine.safetensors"
    sizes = weight_sizes(Shape.named("25k", vocab_size=512))
    save_file({name: np.zeros(size, np.float32) for name, size in sizes.items()}, file)
    mine = with_branch({"checkpoint": str(file)})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(mine))
    sections = load_params(tmp_path / "params.yaml", PIPELINE)
    assert branch_fault(sections) is None
    wider = with_branch({"checkpoint": str(file)}, pack={"vocab_size": 1024})
    refused(wider, "checkpoint: .*: embedding is 512 x 32, the model wants 1024 x 32")


def test_texts_with_prompts_lose_no_lines(refused, tmp_path):
    params = with_branch({"loss": "answer"}, dedup={"lines": {"unit": "line"}})
    qa = {"path": "qa.jsonl", "prompt": "ask", "text": "answer"}
    params["ingest"]["pools"]["qa"] = qa
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    load_params(tmp_path / "params.yaml", PIPELINE)
    params["arms"]["arms"]["keep_10"]["dedup"] = "lines"
    refused(params, "keep_10.dedup: a document with a prompt .* cannot lose lines")
