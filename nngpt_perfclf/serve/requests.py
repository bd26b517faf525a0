"""What a client may send. Unknown fields are refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from nngpt_perfclf.types import Candidate, Question, Recipe

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Name = Annotated[StrictStr, Field(max_length=500)]
Code = Annotated[StrictStr, Field(max_length=1_000_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RecipeBody(_Strict):
    lr: Number | None = None
    momentum: Number | None = None
    batch: StrictInt | None = None
    dropout: Number | None = None
    transform: Name | None = None

    def recipe(self) -> Recipe:
        return Recipe(**dict(self))


class CandidateBody(_Strict):
    name: Name = ""
    arch_code: Code
    recipe: RecipeBody = RecipeBody()

    def candidate(self) -> Candidate:
        return Candidate(self.name, self.arch_code, self.recipe.recipe())


class RankBody(_Strict):
    """Candidates to be ranked, or to be decided on in this order, for the dataset `target`."""

    target: Name
    candidates: Annotated[list[CandidateBody], Field(min_length=1)]


class QuestionBody(_Strict):
    arch_code: Code
    ds_a: Name
    ds_b: Name
    recipe_a: RecipeBody | None = None
    recipe_b: RecipeBody | None = None
    epoch: StrictInt = 1

    def question(self) -> Question:
        recipes = [body and body.recipe() for body in (self.recipe_a, self.recipe_b)]
        return Question(self.arch_code, self.ds_a, self.ds_b, *recipes, self.epoch)


class AdviseBody(_Strict):
    """Questions on which of two datasets a network will do better."""

    questions: Annotated[list[QuestionBody], Field(min_length=1)]


class OutcomeBody(CandidateBody):
    accuracy: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    failed: StrictBool = False
    epoch: Annotated[int, Field(strict=True, ge=1)] = 1


class OutcomesBody(_Strict):
    """Accuracies in 0..1 that candidates reached on `target`; null with `failed`: the training failed."""

    target: Name
    outcomes: Annotated[list[OutcomeBody], Field(min_length=1)]


class Message(BaseModel):
    role: Name
    content: Code


class ChatBody(BaseModel):
    """OpenAI's chat completion, of which only this is used; the last message of the user is answered."""

    model: Name = ""
    messages: Annotated[list[Message], Field(min_length=1)]
    stop: StrictStr | list[StrictStr] | None = None

    def question(self) -> str:
        return next((message.content for message in reversed(self.messages) if message.role == "user"), "")
