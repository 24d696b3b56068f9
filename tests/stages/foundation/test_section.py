import math

import pytest
from pydantic import ValidationError

from stages.foundation.section import Section


class Oven(Section):
    heat: float = 180.0


def test_a_section_is_frozen_and_refuses_what_it_does_not_know():
    oven = Oven(heat=200)
    with pytest.raises(ValidationError, match="frozen"):
        oven.heat = 100.0
    with pytest.raises(ValidationError, match="Extra inputs"):
        Oven(heta=200)
    with pytest.raises(ValidationError, match="finite"):
        Oven(heat=math.inf)
