"""`assay laws`: every law, or one in full."""

from flows.commands.show import show
from stages.laws import LAWS, get_law
from stages.run_tables.law_sheet import (
    describe_law,
    law_entry,
    shown_parameters,
    wrapped,
)


def describe_laws(name: str | None, as_json: bool) -> None:
    """Some lines a law, or everything about one; as JSON the same records."""
    laws = [
        describe_law(law)
        for law in (LAWS.values() if name is None else [get_law(name)])
    ]
    if as_json:
        show(laws, as_json=True)
        return
    if name is None:
        print("\n\n".join(law_entry(law) for law in laws))
        print(
            f"\n{len(laws)} laws; `assay laws NAME` shows one in full, `assay fit NAME"
            " TABLE` fits it, `fit auto` chooses"
        )
        return
    [law] = laws
    print(
        "\n".join(
            [
                f"{law['name']}: {law['title']}",
                *wrapped(law["formula"]),
                *wrapped(f"source: {law['source']}"),
            ]
        )
    )
    if law["reduces_to"]:
        print(f"    equals {law['reduces_to']} at one setting (tested)")
    print()
    show(law["variables"], False, title="Variables: columns of the table of runs")
    print()
    show(
        shown_parameters(law),
        False,
        title=(
            "Parameters; x value: multiples of the median value (of an amplitude: of"
            " its whole term)"
        ),
    )
    print(
        "\nseparate for each data set in `assay compare`:"
        f" {', '.join(law['arm_parameters'])}"
    )
