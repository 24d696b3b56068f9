"""A fault of the parameters is told with the file that holds them, any other as it is."""

from stages.foundation.errors import InputError, ParamsError, RefusedError, in_file


def test_only_a_fault_of_the_parameters_gets_the_file_in_front():
    assert in_file(ParamsError("sweep.lr: too high"), "a.yaml") == (
        "a.yaml: sweep.lr: too high"
    )
    assert in_file(InputError("b.csv: empty"), "a.yaml") == "b.csv: empty"
    assert in_file(RefusedError("too few runs"), "a.yaml") == "too few runs"


def test_bad_parameters_are_bad_input_and_too_little_evidence_is_not():
    assert issubclass(ParamsError, InputError)
    assert not issubclass(RefusedError, InputError)
