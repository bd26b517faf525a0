"""Prompt templates, and how a question becomes a prompt."""

from nngpt_perfclf.config import Config
from nngpt_perfclf.prompts.template import Prompt, Template, find_template, render, templates

__all__ = ["Prompt", "Template", "describe", "find_template", "render", "templates"]


def describe(config: Config, name: str | None = None, nngpt: str | None = None, views: bool = False) -> dict:
    """List the templates, or render those of an NNGPT file, or measure the code views (`views`)."""
    from nngpt_perfclf.code_view.statistics import measure
    from nngpt_perfclf.prompts.listing import describe as listing

    return measure(config) if views else listing(config, name, nngpt)
