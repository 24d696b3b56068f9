"""How the size of an image proxy is written: kind and width."""

import re

SIZE = re.compile(r"(mlp|residual)-(\d{1,5})")
