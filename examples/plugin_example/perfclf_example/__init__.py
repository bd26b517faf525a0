"""A third party's plugin: a prompt template and an adviser of its own."""

from pathlib import Path

from nngpt_perfclf import hookimpl
from perfclf_example import ridge


@hookimpl
def register_prompts():
    return [Path(__file__).parent / "prompts"]


@hookimpl
def register_advisers():
    return [ridge.SPEC]
