"""The hooks. pluggy never passes an argument that has a default: implementations define none, and hosts call by
keyword. `None` always means "no opinion"."""

import pluggy

from nngpt_perfclf.types import Advice, Candidate, Outcome, Question, Score

PROJECT = "nngpt_perfclf"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def advise(arch_code: str, ds_a: str, ds_b: str) -> Advice | None:
    """On which of the two datasets will this architecture do better? None: no opinion."""


@hookspec(firstresult=True)
def advise_many(questions: list[Question]) -> list[Advice | None] | None:
    """Answer many questions, with recipes, at once: one Advice or None each, in order."""


@hookspec(firstresult=True)
def score(candidates: list[Candidate], target: str) -> list[Score | None] | None:
    """How well will each candidate do on this dataset, among all recorded trials? One Score or None each, in order."""


@hookspec
def register_advisers() -> list:
    """Advisers that can be named: AdviserSpec objects."""


@hookspec
def register_tasks() -> list:
    """Tasks to compare networks on: Task objects or paths of task files."""


@hookspec
def register_prompts() -> list:
    """Prompt templates: Template objects, template files or folders of them."""


@hookspec(firstresult=True)
def propose(target: str, count: int, seed: int) -> list[Candidate] | None:
    """Generate `count` candidates for the dataset `target`; the same seed gives the same candidates."""


@hookspec(firstresult=True)
def train(candidate: Candidate, target: str) -> Outcome | None:
    """Train one candidate on the dataset `target`. This is the expensive step."""


@hookspec
def candidate_advised(candidate: Candidate, target: str, score: float | None) -> None:
    """A candidate was scored; `score` is higher for the more promising, None without an opinion."""


@hookspec
def candidate_pruned(candidate: Candidate, target: str, reason: str) -> None:
    """A candidate will not be trained; `reason` says why."""


@hookspec
def candidate_trained(candidate: Candidate, outcome: Outcome) -> None:
    """A candidate was trained, successfully or not."""
