"""How it is asked: templates, the code view, recipes in words, and the reader of NNGPT's JSON templates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.prompts.code_view import View, code_view
from nngpt_perfclf.prompts.datasets import DatasetProperties, dataset_properties
from nngpt_perfclf.prompts.recipes import recipe_words, transform_parts
from nngpt_perfclf.prompts.template import Prompt, Template, render, templates

if TYPE_CHECKING:
    from nngpt_perfclf.config import Config
    from nngpt_perfclf.prompts.nngpt import NngptTemplate

__all__ = ["DatasetProperties", "Prompt", "Template", "View", "code_view", "dataset_properties", "describe",
           "load_nngpt", "recipe_words", "render", "templates", "transform_parts"]


def load_nngpt(path: str | Path) -> dict[str, NngptTemplate]:
    """The templates of one of NNGPT's JSON prompt files by key; `prompts.nngpt.load_nngpt` says more."""
    from nngpt_perfclf.prompts.nngpt import load_nngpt as load

    return load(path)


def describe(config: Config, name: str | None = None, nngpt: str | None = None, views: bool = False) -> dict:
    """What the verb `prompts` shows; `prompts.listing.describe` and `prompts.sizes.measure` say more."""
    from nngpt_perfclf.prompts.listing import describe as listing
    from nngpt_perfclf.prompts.sizes import measure

    if views:
        return measure(config)
    return listing(config, name, nngpt)
