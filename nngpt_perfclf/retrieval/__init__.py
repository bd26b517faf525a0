"""The recorded trials nearest to an untrained network."""

from nngpt_perfclf.retrieval.neighbours import Neighbours

__all__ = ["Neighbours"]
