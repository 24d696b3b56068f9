"""The `ingest` section of params.yaml: which pools there are, where their documents come from, and
what is set apart.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from stages.curation.sample_data.listed import IMAGE_POOL_NAMES, POOLS
from stages.foundation import artefacts
from stages.foundation.section import Name, Section

UNKNOWN = "unknown"  # licence of a document whose column is empty
ROLES = ("heldout", "reference", "pool")  # what a document may serve as


class LicenceColumn(Section):
    """A licence that differs by document."""

    column: str = Field(description="column or key that holds the licence")


class Source(Section):
    """The documents of another pool that those of a pool were made of, by rewording them."""

    pool: str = Field(description="the other pool")
    column: str = Field(
        description=(
            "column or key that names the other pool's document: its id where that pool"
            " maps one, else FILE:LINE"
        )
    )


class Pool(Section):
    """Where a pool's documents come from: `path` (a file, folder or glob) or `extract` (text in a wheel)."""

    path: str | list[str] | None = None
    text: str = Field(
        "text",
        description="column or key that holds the text, or chats: lists of messages",
    )
    prompt: str | None = Field(
        None,
        description=(
            "column or key that holds what is asked; it stands before the text, and a"
            " question with branch.loss: answer scores the text alone. That of the text"
            " itself where it holds chats: the assistant's last message is the answer"
        ),
    )
    id: str | None = Field(None, description="column or key that holds a unique name")
    lang: str | None = Field(None, description="column or key that holds the language")
    url: str | None = Field(
        None,
        description="column or key that holds the address, for score.rules.url_lists",
    )
    licence: str | LicenceColumn | None = Field(
        None,
        description=(
            "licence of all documents, or {column: NAME} where it differs; arms may ask"
            " for some"
        ),
    )
    source: Source | None = Field(
        None,
        exclude_if=lambda source: source is None,
        description=(
            "where documents were made of those of another pool, by rewording them: they"
            " are set apart and drawn with these"
        ),
    )
    extract: str | None = None
    images: str | None = Field(
        None,
        description="real images by name, where ingest.modality is image: "
        + ", ".join(IMAGE_POOL_NAMES),
    )
    max_chars: int | None = Field(
        None, ge=1, description="characters taken, whole documents by hash"
    )
    heldout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description=(
            "fraction of documents split off as the held-out domain of this name"
        ),
    )
    reference: float = Field(
        0.0,
        ge=0,
        le=1,
        description=(
            "fraction of documents that teach the quality classifier and are not"
            " trained on"
        ),
    )

    @property
    def one_licence(self) -> str | None:
        """The licence that all documents have; None where a column says."""
        if self.licence is not None:
            return self.licence if isinstance(self.licence, str) else None
        return POOLS[self.extract].licence if self.extract else "yours"

    @model_validator(mode="after")
    def _one_source(self) -> "Pool":
        if [self.path, self.extract, self.images].count(None) != 2:
            raise ValueError(
                "needs exactly one of path (your files), extract (text in a wheel) and"
                " images (an image pool by name)"
            )
        if self.images is not None and self.images not in IMAGE_POOL_NAMES:
            raise ValueError(f"images must be one of {', '.join(IMAGE_POOL_NAMES)}")
        if self.extract is not None and self.extract not in POOLS:
            raise ValueError(f"extract must be one of {', '.join(POOLS)}")
        if self.prompt is not None and self.path is None:
            raise ValueError(
                "prompt names a column, which only your own files have; leave it out"
            )
        if self.prompt is not None and self.prompt in (self.id, self.lang, self.url):
            raise ValueError(
                f"prompt maps the column {self.prompt!r}, which holds something else;"
                " map another"
            )
        if self.extract is not None and self.url is not None:
            raise ValueError("text in a wheel has no addresses; leave url out")
        if self.url is not None and self.url in (self.text, self.id, self.lang):
            raise ValueError(
                f"url maps the column {self.url!r}, which holds something else; map"
                " another"
            )
        if isinstance(self.licence, LicenceColumn):
            if self.path is None:
                raise ValueError(
                    "licence has a column, which only your own files have; name one"
                    " licence, or leave it out"
                )
            taken = (self.text, self.id, self.lang, self.url, self.prompt)
            if self.licence.column in taken:
                raise ValueError(
                    f"licence maps the column {self.licence.column!r}, which holds"
                    " something else; map another"
                )
        elif self.licence is not None and not self.licence.strip():
            raise ValueError("licence is empty; name one, or leave it out")
        if self.heldout + self.reference > 1:
            raise ValueError("heldout and reference together exceed 1")
        return self

    @model_validator(mode="after")
    def _made_of_others(self) -> "Pool":
        if self.source is None:
            return self
        if self.path is None:
            raise ValueError(
                "source names a column, which only your own files have; leave it out"
            )
        if self.heldout or self.reference:
            raise ValueError(
                "a pool with a source is set apart as its sources are; leave heldout and"
                " reference out"
            )
        licence = getattr(self.licence, "column", None)
        taken = (self.text, self.lang, self.url, self.prompt, licence)
        if self.source.column in taken:
            raise ValueError(
                f"source maps the column {self.source.column!r}, which holds something"
                " else; map another"
            )
        return self


class IngestParams(Section):
    seed: int = Field(1, ge=0)
    modality: Literal["text", "image"] = "text"
    pools: dict[Name, Pool] = Field(min_length=1)
    passage_chars: int | None = Field(
        2_000,
        ge=100,
        description=(
            "longer documents are cut at paragraphs into passages of at most this size;"
            " null keeps them whole"
        ),
    )
    removed: str | list[str] | None = Field(
        None,
        description=(
            "text files of ids, addresses or sources, one a line: these documents are"
            " in no pool, held-out domain or reference"
        ),
    )
    wheel_cache: str = Field(
        artefacts.WHEEL_CACHE, description="folder of downloaded wheels"
    )

    @model_validator(mode="after")
    def _something_held_out(self) -> "IngestParams":
        if not any(pool.heldout for pool in self.pools.values()):
            raise ValueError(
                "no pool has a heldout fraction; give one, for example heldout: 0.1"
            )
        for name, pool in self.pools.items():
            odd = (
                (
                    pool.extract,
                    pool.max_chars,
                    pool.url,
                    pool.reference or None,
                    pool.source,
                )
                if self.modality == "image"
                else (pool.images,)
            )
            if odd != (None,) * len(odd):
                allowed = (
                    "extract, max_chars, url, reference or source"
                    if self.modality == "image"
                    else "images"
                )
                raise ValueError(
                    f"pool {name!r} is of modality {self.modality}: it cannot have"
                    f" {allowed}"
                )
        if self.modality == "text" and not any(
            pool.reference for pool in self.pools.values()
        ):
            raise ValueError(
                "no pool has a reference fraction; the quality classifier needs text to"
                " look up to"
            )
        return self

    @model_validator(mode="after")
    def _sources_are_pools(self) -> "IngestParams":
        for name, pool in self.pools.items():
            if pool.source is None:
                continue
            source = self.pools.get(pool.source.pool)
            if source is None or source is pool:
                others = ", ".join(each for each in self.pools if each != name)
                raise ValueError(
                    f"pool {name!r}: source.pool names {pool.source.pool!r}; other pools"
                    f" are {others}"
                )
            if source.source is not None:
                raise ValueError(
                    f"pool {name!r}: source.pool names {pool.source.pool!r}, which has a"
                    f" source itself; name {source.source.pool!r}, and its documents"
                )
        return self


def list_files(removed: str | Sequence[str] | None) -> list[str]:
    """The files that are read: those of `ingest.removed` and, where it is there, that of `assay remove`."""
    own = [removed] if isinstance(removed, str) else list(removed or [])
    return [*own, *([artefacts.REMOVED] if Path(artefacts.REMOVED).is_file() else [])]
