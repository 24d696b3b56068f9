"""A file that is not the model's is refused in one line that names the first tensor that differs."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from stages.foundation.errors import InputError
from stages.proxy.specs.checkpoint_file import read_header
from stages.proxy.specs.layout import weight_sizes
from stages.proxy.specs.shape import Shape

SHAPE = Shape.named("6k", context=32, vocab_size=64)


@pytest.fixture
def written(tmp_path):
    """written(**changes): the header of a file of SHAPE with tensors changed; None takes one out."""

    def made(metadata=None, **changes):
        tensors = {
            name: np.zeros(size, np.float32)
            for name, size in weight_sizes(SHAPE).items()
        }
        for name, value in changes.items():
            tensors[name.replace("_", ".")] = value
        tensors = {name: each for name, each in tensors.items() if each is not None}
        save_file(tensors, tmp_path / "w.safetensors", metadata)
        return read_header(tmp_path / "w.safetensors")

    return made


def test_a_file_of_weights_alone_is_a_checkpoint_of_unknown_length(written):
    header = written()
    header.require(SHAPE)
    assert header.size() == "6k"
    assert (header.n_tokens, header.n_steps, header.has_moments) == (None, 0, False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"embedding": np.zeros((65, 16))},
            "embedding is 65 x 16, .* wants 64 x 16 .*",
        ),
        ({"head": np.zeros((64, 8))}, "head is 64 x 8, the model wants 64 x 16"),
        ({"0_qkv": None}, "no tensor '0.qkv', which is to be 48 x 16"),
        ({"1_up": np.zeros((64, 17))}, "1.up is 64 x 17, the model wants 64 x 16"),
        ({"bias": np.zeros(3)}, "a tensor 'bias' that the model does not have"),
        ({"head": np.zeros((64, 16), np.int64)}, "head is of type I64; give one of"),
        ({"first.head": np.zeros((64, 16))}, "no tensor 'first.embedding'"),
    ],
)
def test_the_first_difference_is_named(written, changes, message):
    header = written(**{name.replace(".", "_"): each for name, each in changes.items()})
    with pytest.raises(InputError, match=message) as error:
        header.require(SHAPE)
    assert "w.safetensors" in str(error.value) and "\n" not in str(error.value)


def test_another_vocabulary_names_the_tokenizer_as_the_cure(written):
    wider = Shape.named("6k", context=32, vocab_size=128)
    with pytest.raises(InputError, match=r"wants 128 x 16 .* \(pack.tokenizer\)"):
        written().require(wider)


def test_heads_of_another_number_are_seen_where_the_file_says_so(written):
    header = written({"shape": '{"n_heads": 2, "qk_norm": true}'})
    with pytest.raises(InputError, match="trained with n_heads 2, the model has 1"):
        header.require(SHAPE)


def test_a_width_that_no_proxy_has_is_refused(written):
    with pytest.raises(InputError, match="no proxy has width 17 and 2 layers"):
        written(embedding=np.zeros((64, 17))).size()
    with pytest.raises(InputError, match="no matrix `embedding`"):
        written(embedding=None).size()


def test_what_is_no_file_and_no_safetensors_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file; give a checkpoint"):
        read_header(tmp_path / "none.safetensors")
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"not safetensors at all")
    with pytest.raises(InputError, match="not a whole safetensors file"):
        read_header(bad)


def test_tokens_that_are_no_number_are_refused(written):
    with pytest.raises(InputError, match="n_tokens 'many', which is no whole number"):
        _ = written({"n_tokens": "many"}).n_tokens
