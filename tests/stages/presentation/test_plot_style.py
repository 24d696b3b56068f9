from stages.presentation.plot_style import COLOURS, MARKERS, STYLE, colour_of, plt, svg


def test_arms_have_colour_and_marker_by_their_place():
    assert colour_of(["x", "y"]) == {
        "x": (COLOURS[0], MARKERS[0]),
        "y": (COLOURS[1], MARKERS[1]),
    }
    assert len(set(COLOURS)) == len(COLOURS) == len(set(MARKERS))


def test_a_figure_is_the_same_bytes_again():
    def drawn():
        with plt.rc_context(STYLE):
            figure, axes = plt.subplots()
            axes.plot([1, 2], [3, 4])
            text = svg(figure)
            plt.close(figure)
        return text

    assert drawn() == drawn() and drawn().startswith("<svg")
