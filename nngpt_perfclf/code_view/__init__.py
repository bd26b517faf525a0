"""What a language model is shown of a network's code, parsed and never executed."""

from nngpt_perfclf.code_view.view import View, code_view

__all__ = ["View", "code_view"]
