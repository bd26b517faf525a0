"""How it is asked: templates, the code view, recipes in words, and the reader of NNGPT's JSON templates."""

from nngpt_perfclf.prompts.code_view import View, code_view
from nngpt_perfclf.prompts.datasets import DatasetProperties, dataset_properties
from nngpt_perfclf.prompts.recipes import recipe_words, transform_parts
from nngpt_perfclf.prompts.template import Prompt, Template, render, templates

__all__ = ["DatasetProperties", "Prompt", "Template", "View", "code_view", "dataset_properties", "recipe_words",
           "render", "templates", "transform_parts"]
