"""A network that fails when it is run, and profiles that say so without running it."""

from made_advisers import network

from nngpt_perfclf.advice import faults
from nngpt_perfclf.profiling.types import Profile, Shapes

FAILING = network().replace("nn.Linear(64", "nn.Linear(65")


def failing_networks_are_found(monkeypatch):
    """As if each network were built: those that hold FAILING fail, nothing is known of the others."""
    def profiles(sides, datasets):
        shapes = Shapes(3, 32, 10)
        return [Profile("failed", shapes, "forward", "RuntimeError: shapes do not fit") if FAILING in code
                else Profile("no sandbox", shapes) for code, _, _ in sides]

    monkeypatch.setattr(faults, "profiles_of", profiles)
