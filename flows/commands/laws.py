"""`assay laws`: every law, or one in full."""

from flows.commands.show import paragraph, show
from stages.laws import LAWS
from stages.run_columns.named_law import example_law, mixture_names
from stages.run_tables.law_sheet import (
    describe_law,
    law_entry,
    shown_parameters,
    wrapped,
)


def describe_laws(name: str | None, as_json: bool) -> None:
    """Some lines a law, or everything about one; as JSON the same records.

    Laws of the named pools of a table stand with two pools, called first and second.
    """
    of_pools = [example_law(name) for name in mixture_names()]
    shown = [*LAWS.values(), *of_pools] if name is None else [example_law(name)]
    laws = [describe_law(law) for law in shown]
    if as_json:
        show(laws, as_json=True)
        return
    if name is None:
        print("\n\n".join(law_entry(law) for law in laws))
        said = (
            f"{len(LAWS)} laws and {len(of_pools)} of named pools; `assay laws NAME` shows one in full, `assay fit NAME"
            " TABLE` fits it, `fit auto` chooses. Those that read share_first and"
            " share_second are made for the share_NAME (and unique_NAME) columns of a table"
        )
        print("\n" + paragraph(said))
        return
    [law] = laws
    print(
        "\n".join(
            [
                paragraph(f"{law['name']}: {law['title']}"),
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
