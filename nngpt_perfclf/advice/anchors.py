"""Each recorded dataset's anchor recipe, that of its median training trial, as it travels with the package."""

from __future__ import annotations

from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.files import read_json
from nngpt_perfclf.types import PerfclfError, Recipe

FILE = PRETRAINED / "anchors.json"


def load_anchors() -> dict[str, Recipe]:
    """The anchor recipes by dataset; raises PerfclfError where the file is missing or damaged."""
    try:
        return {dataset: Recipe(**recipe) for dataset, recipe in read_json(FILE).items()}
    except TypeError as error:
        raise PerfclfError(f"{FILE} holds no recipes: {error}") from error
