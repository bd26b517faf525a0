"""NNGPT's own prompt templates, read from an installed NNGPT."""

from nngpt_perfclf.nngpt_prompts.templates import NngptTemplate, load_nngpt

__all__ = ["NngptTemplate", "load_nngpt"]
