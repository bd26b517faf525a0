"""From questions to prompts: the network's layers or code view, the datasets, the recipes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nngpt_perfclf.code_view.view import View, code_view
from nngpt_perfclf.datasets import DatasetProperties
from nngpt_perfclf.profiling.types import Structure
from nngpt_perfclf.prompts.layers import layer_view
from nngpt_perfclf.prompts.template import Prompt, Template, render
from nngpt_perfclf.types import PerfclfError, Question

GOALS = {"normalized": "score", "rank": "rank"}
FIELDS = ("goal",)  # that are known here, besides those of every question

# The built network of each code, for the images of `layers.SHAPES`; None where it could not be built.
Structures = Callable[[Sequence[str]], "Sequence[Structure | None]"]


@dataclass(frozen=True)
class PromptBuilder:
    """How an adapter is asked, in training and afterwards: `template` for questions with recipes, `code_only` for those
    without, `view` and `tokens` of the code view, the `datasets`' properties, and the built networks, if any may be
    built: all others are shown by their code view."""

    template: Template
    code_only: Template
    view: str
    tokens: int
    datasets: Mapping[str, DatasetProperties]
    structures: Structures | None = None

    def __post_init__(self) -> None:
        """Raise PerfclfError for a template whose fields only a recorded pair has, and for two templates of which one
        asks about sides and the other one about pairs."""
        for template in (self.template, self.code_only):
            if unknown := set(template.extra) - set(FIELDS):
                raise PerfclfError(f"template {template.name} needs {', '.join(sorted(unknown))}, known of recorded "
                                   "pairs alone: no adviser can be asked with it")
        if self.template.one_side != self.code_only.one_side:
            raise PerfclfError(f"template {self.template.name} and code_only_template {self.code_only.name} do not "
                               "fit: one asks about one side at a time, the other about both")

    @property
    def one_side(self) -> bool:
        """Whether each side of a question has a prompt of its own."""
        return self.template.one_side

    def ask(self, questions: Sequence[Question], labels: Sequence[str],
            by_code: Sequence[bool] | None = None) -> list[Prompt]:
        """One prompt for each question about the label (normalized or rank) named beside it. With templates that ask
        about one side: about the question's first one. `by_code` (n,): which questions show the code view even where
        the network could be built."""
        by_code = by_code if by_code is not None else [False] * len(questions)
        layers = self._layers(questions, by_code)
        return [self._prompt(question, label, None if hidden else layers.get(question.arch_code))
                for question, label, hidden in zip(questions, labels, by_code, strict=True)]

    def prepare(self, codes: Sequence[str]) -> None:
        """Build these networks together, which costs less than building a few at a time."""
        if self.structures is not None and (self.template.shows_layers or self.code_only.shows_layers):
            self.structures(list(dict.fromkeys(codes)))

    def shown(self, question: Question) -> View | None:
        """The code view that the question's prompt shows, None where it shows nothing; raises as `code_view` does."""
        return code_view(question.arch_code, self.view, self.tokens) if self._form(question).reads_code else None

    def _form(self, question: Question) -> Template:
        return self.template if question.has_recipes else self.code_only

    def _layers(self, questions: Sequence[Question], by_code: Sequence[bool]) -> dict[str, View]:
        """By code, the layers of the networks that could be built and are to be shown."""
        if self.structures is None:
            return {}
        codes = list(dict.fromkeys(question.arch_code for question, hidden in zip(questions, by_code, strict=True)
                                   if not hidden and self._form(question).shows_layers))
        return {code: layer_view(structure, self.tokens)
                for code, structure in zip(codes, self.structures(codes), strict=True) if structure is not None}

    def _prompt(self, question: Question, label: str, layers: View | None) -> Prompt:
        template = self._form(question)
        view = layers if layers is not None and template.shows_layers else self.shown(question)
        return render(template, question, self.datasets, view, extra=dict.fromkeys(template.extra, GOALS[label]))
