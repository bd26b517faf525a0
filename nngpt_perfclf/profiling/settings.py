"""How a network's settings follow from its recipe: found from two recipes, so that one build answers for all recipes.

The value at any recipe lies on the line through the two: exact where the setting is constant, proportional or linear.
"""

from dataclasses import replace

from nngpt_perfclf.profiling.types import Structure, TrainingSetup
from nngpt_perfclf.types import Recipe

# Every network is built under these two recipes (`build.PROBES`).
FIRST = Recipe(lr=0.01, momentum=0.9, dropout=0.2)
SECOND = Recipe(lr=0.02, momentum=0.8, dropout=0.3)
# The setting -> what of the recipe it follows from. LEMUR's networks give Adam the momentum as its first beta.
FOLLOWS = {"lr": "lr", "momentum": "momentum", "beta1": "momentum"}


def line(first: float, second: float, of: str) -> tuple[float, float]:
    """(offset, factor) of a setting that has these values under the two recipes, as a function of the recipe's `of`."""
    x, y = getattr(FIRST, of), getattr(SECOND, of)
    if first == second:
        return first, 0.0
    if abs(first / x - second / y) <= 1e-9 * abs(first / x):
        return 0.0, round(first / x, 12)
    factor = (second - first) / (y - x)
    return round(first - factor * x, 12), round(factor, 12)


def at(recipe: Recipe, first: float | None, second: float | None, of: str) -> float | None:
    """The setting under `recipe`; what it does not state is as in the first of the two."""
    if first is None or second is None:
        return first
    offset, factor = line(first, second, of)
    stated = getattr(recipe, of)
    return offset + factor * (getattr(FIRST, of) if stated is None else stated)


def setup_at(structure: Structure, recipe: Recipe) -> TrainingSetup:
    """Optimiser, schedule and loss under `recipe`."""
    first, second = structure.setups
    return replace(first, **{name: at(recipe, getattr(first, name), getattr(second, name), of)
                             for name, of in FOLLOWS.items()})


def dropouts_at(structure: Structure, recipe: Recipe) -> tuple[float, ...]:
    """The probabilities of dropping under `recipe`, in the order in which the forward pass uses them."""
    first, second = structure.dropouts
    if len(first) != len(second):
        return first
    return tuple(at(recipe, *rates, "dropout") for rates in zip(first, second, strict=True))
