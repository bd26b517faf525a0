"""Why a candidate cannot be trained: what its text shows, and what building it shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nngpt_perfclf.advice.base import answered
from nngpt_perfclf.advice.structures import profiles_of
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.profiling.contract import fault_of
from nngpt_perfclf.recipes import recipe_words
from nngpt_perfclf.types import Candidate, PerfclfError

REMEMBERED = 50_000  # codes
# Given candidates and the dataset that they are for: why each cannot be trained, in order; None: nothing is known.
Faults = Callable[[Sequence[Candidate], str], list[str | None]]
_of_text = lru_cache(REMEMBERED)(fault_of)
_defaults = lru_cache(maxsize=1)(load_config)  # read once: a loop may rank a few candidates at a time


def text_faults(candidates: Sequence[Candidate], target: str) -> list[str | None]:
    """What the text alone shows; nothing is run. For recorded networks this is all: they were trained, so one that
    cannot be built shows a limit of the profiler and is not broken."""
    return [_of_text(candidate.arch_code) for candidate in candidates]


@dataclass(frozen=True)
class BuildFaults:
    """What the text shows and, unless `advice.profile` is never, what building the network in the sandbox shows.

    A network that took too long, lacks a package or cannot be built on this machine is not at fault (`Profile.broken`).
    `config`: None for the default one.
    """

    config: Config | None = None

    def __call__(self, candidates: Sequence[Candidate], target: str) -> list[str | None]:
        config, found = self.config or _defaults(), text_faults(candidates, target)
        datasets = dataset_properties(config.datasets)
        if config.advice.profile == "never" or target not in datasets:
            return found
        usable = (fault is None and is_valid(candidate) for fault, candidate in zip(found, candidates, strict=True))
        profiles = answered(candidates, usable, lambda asked: profiles_of(
            [(candidate.arch_code, target, candidate.recipe) for candidate in asked], datasets))
        return [profile.why_not_built if profile and profile.broken else fault
                for profile, fault in zip(profiles, found, strict=True)]


def is_valid(candidate: Candidate) -> bool:
    """Whether its recipe can be read; the adviser says what is wrong with one that cannot."""
    try:
        recipe_words(candidate.recipe)
    except PerfclfError:
        return False
    return True
