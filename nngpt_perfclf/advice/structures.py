"""The built networks of what is asked about, looked up or built in the sandbox."""

from collections.abc import Mapping, Sequence

from nngpt_perfclf.advice.features import Side
from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.profiling.types import Profile, Shapes, Structure, shapes_of
from nngpt_perfclf.prompts.layers import SHAPES
from nngpt_perfclf.types import Recipe

REMEMBERED = 20_000  # networks of one process
_profiles: dict[tuple[str, Shapes], Profile] = {}  # what this process has looked up


def structures_of(sides: Sequence[Side],
                  datasets: Mapping[str, DatasetProperties]) -> list[tuple[Structure, Shapes] | None]:
    """The structure and shapes of each side's network, in order; None where it could not be built."""
    return [None if found.structure is None else (found.structure, found.shapes)
            for found in profiles_of(sides, datasets)]


def profiles_of(sides: Sequence[Side], datasets: Mapping[str, DatasetProperties]) -> list[Profile]:
    """What is known of each side's network, in order. Settings that follow from the recipe are not in it: one profile
    serves all recipes of a network."""
    return _looked_up([(code, shapes_of(recipe or Recipe(), dataset, datasets)) for code, dataset, recipe in sides])


def shown_structures(codes: Sequence[str]) -> list[Structure | None]:
    """The structure of each network for the images that prompts show it for, in order; None: it could not be built."""
    return [found.structure for found in _looked_up([(code, SHAPES) for code in codes])]


def _looked_up(keys: Sequence[tuple[str, Shapes]]) -> list[Profile]:
    from nngpt_perfclf.profiling.profiler import answers_to, profile_of

    new = [key for key in dict.fromkeys(keys) if key not in _profiles]
    if len(_profiles) + len(new) > REMEMBERED:
        _profiles.clear()
        new = list(dict.fromkeys(keys))
    if new:
        _profiles.update({key: profile_of(answer, key[1]) for key, answer in answers_to(new).items()})
    return [_profiles[key] for key in keys]
