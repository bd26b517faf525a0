"""TRL's SFTTrainer with the output layer computed only where a loss is taken.

With 262,144 words in Gemma's vocabulary the output layer at every position costs more than the rest of the model. Both
trainers put an identity in its place during the forward pass and multiply the hidden states that count themselves.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch.nn import functional
from trl import SFTTrainer

from nngpt_perfclf.models.language import pad
from nngpt_perfclf.types import PerfclfError


class CompletionTrainer(SFTTrainer):
    """The trainer's own loss (mean negative log-likelihood of the labelled tokens), hidden states gathered first."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.causal = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        self.answers = self.causal.get_output_embeddings().weight.detach()

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs["labels"][:, 1:]
        with headless(self.causal):
            hidden = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
                           use_cache=False).logits
        counted = labels != -100
        logits = hidden[:, :-1][counted].to(self.answers.dtype) @ self.answers.T
        loss = functional.cross_entropy(logits.float(), labels[counted], reduction="sum")
        if num_items_in_batch is None:
            return self.finite(loss / counted.sum())
        # The count covers all processes, whose gradients are averaged afterwards.
        return self.finite(loss * self.accelerator.num_processes / num_items_in_batch)

    def finite(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss. Raises PerfclfError where it is not finite: transformers would log 0 and train on."""
        if not torch.isfinite(loss):
            raise PerfclfError(f"the loss is not finite at step {self.state.global_step}: lower train.lr or set "
                               "train.precision=float32")
        return loss


class OptionsTrainer(CompletionTrainer):
    """The loss over the two answers only, several questions about one code sharing its computation. `lm_weight`: of the
    model's log-odds next to the offset; a small weight keeps its initial preferences from dominating what is known."""

    lm_weight = 1.0

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        scores = options_log_odds(model, self.causal, self.answers, inputs)
        return self.finite(functional.binary_cross_entropy_with_logits(
            self.lm_weight * scores + inputs["offset"], inputs["target"]))


@contextmanager
def headless(causal: torch.nn.Module) -> Iterator[None]:
    """The model gives hidden states where it would give logits. It is called as a whole all the same, so that
    whatever wraps it to share the work over processes sees every pass."""
    head = causal.get_output_embeddings()
    causal.set_output_embeddings(torch.nn.Identity())
    try:
        yield
    finally:
        causal.set_output_embeddings(head)


def options_log_odds(model: torch.nn.Module, causal: torch.nn.Module, answers: torch.Tensor,
                     inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The model's log-odds of the first option (questions,), with gradients, of a batch of the OptionsCollator."""
    with headless(causal):
        cache = model(input_ids=inputs["prefix"], attention_mask=inputs["prefix_mask"], use_cache=True,
                      position_ids=_positions(inputs["prefix_mask"]), logits_to_keep=1).past_key_values
        cache.batch_select_indices(inputs["owner"])
        mask = torch.cat([inputs["prefix_mask"][inputs["owner"]], inputs["question_mask"]], dim=1)
        hidden = model(input_ids=inputs["question"], attention_mask=mask, past_key_values=cache, use_cache=True,
                       position_ids=_positions(mask)[:, -inputs["question"].shape[1]:]).logits
    last = hidden[torch.arange(len(hidden), device=hidden.device), inputs["question_mask"].sum(1) - 1]
    parting = answers[inputs["first"]].float() - answers[inputs["second"]].float()
    return (last.float() * parting).sum(-1)


def _positions(mask: torch.Tensor) -> torch.Tensor:
    """Each token's place among those that count; padding on the left moves nothing."""
    return (mask.cumsum(1) - 1).clamp(min=0)


@dataclass(frozen=True)
class OptionsCollator:
    """Rows of one code and its questions become one batch: `prefix` (codes, tokens) padded on the left, `question`
    (questions, tokens) on the right, `owner` (questions,) the row of each question's code."""

    def __call__(self, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
        questions = [question for row in rows for question in row["questions"]]
        prefix_lengths = torch.tensor([len(row["prefix"]) for row in rows])
        lengths = torch.tensor([len(question) for question in questions])
        prefix, question = pad([row["prefix"] for row in rows], left=True), pad(questions)
        return {
            "prefix": prefix,
            "prefix_mask": (torch.arange(prefix.shape[1]) >= prefix.shape[1] - prefix_lengths[:, None]).long(),
            "question": question,
            "question_mask": (torch.arange(question.shape[1]) < lengths[:, None]).long(),
            "owner": torch.repeat_interleave(torch.tensor([len(row["questions"]) for row in rows])),
            **{name: torch.tensor([value for row in rows for value in row[name]]) for name in ("first", "second")},
            **{name: torch.tensor([value for row in rows for value in row[name]], dtype=torch.float32)
               for name in ("target", "offset")},
        }
