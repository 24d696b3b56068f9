"""A card is held while products are made on it, and one line says why; what is found does not depend on it."""

import contextlib
import logging

import polars as pl
import pytest

from stages.curation.reading.documents import documents
from stages.curation.vectors.place import Cost
from stages.foundation.errors import InputError
from stages.pools import products_device as module
from stages.pools.copies_section import SemanticParams
from stages.pools.products_device import products_device
from stages.pools.semantic_copies import semantic_twins
from stages.pools.topic_clusters import topic_clusters
from stages.proxy.workforce import lease
from stages.proxy.workforce.lease import device_lease

LONG = Cost(1e13, core_s=100.0, sent_bytes=0.0)


@pytest.fixture
def two_cards(tmp_path, monkeypatch):
    """A machine with the cards a and b, and leases of its own."""
    monkeypatch.setattr(lease, "lease_folder", lambda: tmp_path)
    monkeypatch.setattr(lease, "gpu_names", lambda: ["a", "b"])
    monkeypatch.setattr(module, "has_card", lambda: True)


def is_free(name: str) -> bool:
    try:
        with device_lease([name], timeout_s=0):
            return True
    except InputError:
        return False


def test_a_card_is_held_while_it_is_used(two_cards, caplog):
    caplog.set_level(logging.INFO, "assay")
    with products_device("auto", LONG, "dedup: semantic copies are sought") as device:
        assert device == "cuda:0" and not is_free("a") and is_free("b")
    assert is_free("a")
    [line] = caplog.messages
    assert line.startswith("dedup: semantic copies are sought on the GPU: 1.0e+13")


def test_the_card_that_is_free_is_the_one_that_multiplies(two_cards):
    with device_lease(["a"]), products_device("cuda", LONG, "x") as device:
        assert device == "cuda:1" and not is_free("b")


def test_a_card_that_is_named_is_the_one_that_is_held(two_cards):
    with products_device("cuda:1", LONG, "x") as device:
        assert device == "cuda:1" and is_free("a") and not is_free("b")
    with (
        pytest.raises(InputError, match="device cuda:2: there are 2 cards here"),
        products_device("cuda:2", LONG, "x"),
    ):
        pass


def test_a_card_is_given_back_after_an_error(two_cards):
    with contextlib.suppress(ValueError), products_device("cuda", LONG, "x"):
        raise ValueError
    assert is_free("a")


def test_a_machine_without_a_card_is_told_so_where_one_is_asked_for(monkeypatch):
    monkeypatch.setattr(module, "has_card", lambda: False)
    with (
        pytest.raises(InputError, match="device cuda: there is no CUDA device here"),
        products_device("cuda", LONG, "x"),
    ):
        pass
    with products_device("auto", LONG, "x") as device:
        assert device == "cpu"


@pytest.fixture
def pool(tmp_path):
    words = ["river", "stone", "market", "bread", "engine", "violin", "harbour"]
    texts = [
        " ".join(f"{words[(i + j) % 7]}{(i * j) % (5 + i % 3)}" for j in range(30))
        for i in range(80)
    ]
    texts[60:] = [f"{text} again" for text in texts[:20]]
    frame = documents(texts, [f"{i:03d}" for i in range(80)], "web")
    frame.write_parquet(tmp_path / "0.parquet")
    return [tmp_path / "0.parquet"], frame.select("id")


@pytest.fixture
def stand_in(monkeypatch):
    """A machine whose card is torch's processor; the devices that were used."""
    used = []

    @contextlib.contextmanager
    def card(place):
        used.append(place)
        yield "cpu:0"

    monkeypatch.setattr(module, "_card", card)
    return used


def test_copies_found_on_a_stand_in_for_a_card_are_those_of_the_processor(
    pool, stand_in
):
    shards, ids = pool
    twins = [
        semantic_twins(shards, ids, SemanticParams(eps=0.1, device=device), 0)
        for device in ("cuda", "cpu", "auto")
    ]
    assert stand_in == ["cuda"] and twins[0].height > 10
    assert twins[0].equals(twins[1]) and twins[2].equals(twins[1])


def test_clusters_found_on_a_stand_in_for_a_card_are_those_of_the_processor(
    pool, stand_in, caplog
):
    caplog.set_level(logging.INFO, "assay")
    shards, _ = pool
    there = topic_clusters(shards, 4, seed=1, device="cuda")
    assert stand_in == ["cuda"] and there.equals(topic_clusters(shards, 4, seed=1))
    assert "arms: 4 clusters are sought on cuda: asked for" in caplog.messages
    assert any("clusters are sought on the processor: " in m for m in caplog.messages)
    assert isinstance(there, pl.DataFrame) and there["cluster"].n_unique() > 1
