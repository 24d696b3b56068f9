"""The document rules of the `score` section: the same keys, with the same checks, as `assay curate`
has.

Question: by which rules are pool documents measured and judged? Input: a params section. Output:
the names of the rules in order, their thresholds with all lists read, the files that they read, and
the columns that arms may select by.
"""

from typing import Any

from pydantic import ValidationError, ValidationInfo, field_validator

from stages.curation.rules.list_files import read_list, url_lists
from stages.curation.rules.rule_list import (
    DECONTAMINATION,
    RULE_SETS,
    RULES,
    Thresholds,
    rule_names,
)
from stages.foundation.stage import Section
from stages.settings.curate import (
    CurateSettings,
    DecontaminateSettings,
    ThresholdSettings,
    UrlListSettings,
)

KEYS = ("rules", "thresholds", "url_lists", "bad_words", "languages", "decontaminate")


def _as_in_curate(key: str) -> Any:
    """The default, the bounds and the description of a key of `assay curate`."""
    return CurateSettings.model_fields[key]


class RuleSettings(Section):
    """Which rules judge the pool. Nothing is dropped by them: an arm says which it goes by."""

    rules: str | list[str] = _as_in_curate("rules")
    thresholds: ThresholdSettings = _as_in_curate("thresholds")
    url_lists: UrlListSettings | None = _as_in_curate("url_lists")
    bad_words: str | None = _as_in_curate("bad_words")
    languages: list[str] = _as_in_curate("languages")
    decontaminate: DecontaminateSettings | None = _as_in_curate("decontaminate")

    @field_validator(*KEYS)
    @classmethod
    def _checked_as_in_curate(cls, value: Any, info: ValidationInfo) -> Any:
        key = str(info.field_name)
        try:
            checked = CurateSettings.model_validate({"extra": ["url"], key: value})
            return getattr(checked, key)
        except ValidationError as error:
            raise ValueError(
                error.errors()[0]["msg"].removeprefix("Value error, ")
            ) from None

    def rule_names(self) -> list[str]:
        """Rules of RULES, in the order in which they count."""
        asked = {
            "language": bool(self.languages),
            "c4_bad_words": self.bad_words is not None,
        }
        asked |= dict.fromkeys(RULE_SETS["url"], self.url_lists is not None)
        return [
            *rule_names(self.rules),
            *(name for name, wanted in asked.items() if wanted),
        ]

    def judged_names(self) -> list[str]:
        """Everything that an arm may name: the rules, and `decontamination` where evaluation files are given."""
        return self.rule_names() + (
            [DECONTAMINATION] if self.decontaminate is not None else []
        )

    def measures(self) -> list[str]:
        """Columns of numbers that documents can be ordered by."""
        asked = set(self.rule_names())
        found = [
            rule.measure
            for rule in RULES.values()
            if rule.needs is None or rule.name in asked
        ]
        return list(
            dict.fromkeys(
                found
                + (["evaluation_overlap"] if self.decontaminate is not None else [])
            )
        )

    def all_thresholds(self) -> Thresholds:
        """The cut-offs, with what must be read from files."""
        return Thresholds(
            **self.thresholds.model_dump(),
            languages=tuple(self.languages) or None,
            bad_words=None if self.bad_words is None else read_list(self.bad_words),
            url_lists=(
                None
                if self.url_lists is None
                else url_lists(**self.url_lists.model_dump(exclude_none=True))
            ),
        )

    def rule_files(self) -> list[str]:
        """Files that the rules read, for DVC."""
        lists = (
            []
            if self.url_lists is None
            else [
                file
                for file in self.url_lists.model_dump().values()
                if file is not None
            ]
        )
        return [
            *lists,
            *([] if self.bad_words is None else [self.bad_words]),
            *([] if self.decontaminate is None else self.decontaminate.files),
        ]
