"""A plugin whose scores follow the width that the scripted generator writes into its networks (see `nngpt_stubs`)."""

import re

from nngpt_perfclf.hookspecs import hookimpl
from nngpt_perfclf.types import Score


@hookimpl
def score(candidates, target):
    widths = [int(re.search(r"width = (\d+)", candidate.arch_code)[1]) for candidate in candidates]
    return [Score(float(width), min(width / 100, 1.0), 0.0, 1.0, True, "by width") for width in widths]
