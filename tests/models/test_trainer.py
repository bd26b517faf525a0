"""The output layer is computed at few positions only, and the loss stays what TRL's trainer computes."""

import numpy as np
import pytest
import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from nngpt_perfclf.models.rows import completion_row, option_row
from nngpt_perfclf.models.trainer import CompletionTrainer, OptionsCollator, OptionsTrainer
from nngpt_perfclf.prompts import Prompt
from nngpt_perfclf.types import PerfclfError

PROMPTS = [Prompt("Which?\n", code, f"{lead}{a} or {b}:\n", (a, b)) for code, lead, a, b in (
    ("conv\n", "lr-1 ", "mnist", "svhn"), ("conv\n", "", "cifar-10", "cifar-100"),
    ("fc fc fc relu\n", "batch64 ", "cifar-100", "cifar-10"), ("fc fc fc relu\n", "x ", "svhn", "imagenette"))]


def trainer(kind, model, rows, tmp_path, collator=None):
    settings = SFTConfig(output_dir=str(tmp_path), report_to=[], use_cpu=True, bf16=False, max_length=None,
                         gradient_checkpointing=False, remove_unused_columns=False,
                         dataset_kwargs={"skip_prepare_dataset": True})
    return kind(model=model.network, args=settings, train_dataset=Dataset.from_list(rows), data_collator=collator,
                processing_class=model.encoder.tokenizer)


@pytest.mark.parametrize("full", [False, True])
def test_the_completion_loss_agrees_to_a_thousandth(tiny, tmp_path, full):
    rows = [completion_row(tiny.encoder, prompt, prompt.options[0], full, 500) for prompt in PROMPTS]
    ours = trainer(CompletionTrainer, tiny, rows, tmp_path)
    theirs = trainer(SFTTrainer, tiny, rows, tmp_path)
    batch = ours.data_collator(rows)
    with torch.no_grad():
        expected = theirs.compute_loss(tiny.network, dict(batch))
        assert ours.compute_loss(tiny.network, dict(batch)).item() == pytest.approx(expected.item(), abs=1e-3)
        counted = (batch["labels"][:, 1:] != -100).sum()
        assert ours.compute_loss(tiny.network, dict(batch), num_items_in_batch=counted).item() == pytest.approx(
            expected.item(), abs=1e-3)


def test_the_gathered_loss_has_the_trainers_gradients(tiny, tmp_path):
    rows = [completion_row(tiny.encoder, prompt, prompt.options[0], False, 500) for prompt in PROMPTS]
    gradients = []
    for kind in (CompletionTrainer, SFTTrainer):
        one = trainer(kind, tiny, rows, tmp_path)
        tiny.network.zero_grad()
        one.compute_loss(tiny.network, dict(one.data_collator(rows))).backward()
        gradients.append(tiny.network.get_decoder().layers[0].mlp.up_proj.weight.grad.clone())
    assert torch.allclose(*gradients, atol=1e-5)


def test_questions_that_share_a_code_have_the_loss_of_questions_apart(tiny, tmp_path):
    target, offset = np.array([1.0, 0.3]), np.array([0.5, -1.0])
    rows = [option_row(tiny.encoder, PROMPTS[:2], target, offset, 500),
            option_row(tiny.encoder, PROMPTS[2:], target, offset, 500)]
    one = trainer(OptionsTrainer, tiny, rows, tmp_path, OptionsCollator())
    with torch.no_grad():
        loss = one.compute_loss(tiny.network, OptionsCollator()(rows))
    odds = torch.tensor(tiny.score(PROMPTS)) + torch.tensor([*offset, *offset])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(odds, torch.tensor([*target, *target]))
    assert loss.item() == pytest.approx(expected.item(), abs=1e-4)


@pytest.mark.parametrize("kind", [OptionsTrainer, CompletionTrainer])
def test_a_loss_that_is_not_finite_ends_the_training(tiny, tmp_path, kind):
    if kind is OptionsTrainer:
        row = option_row(tiny.encoder, PROMPTS[:1], np.array([1.0]), np.array([np.nan]), 500)
        trained = trainer(kind, tiny, [row], tmp_path, OptionsCollator())
    else:
        row = completion_row(tiny.encoder, PROMPTS[0], PROMPTS[0].options[0], False, 500)
        trained = trainer(kind, tiny, [row], tmp_path)
        trained.answers = trained.answers * torch.nan
    with pytest.raises(PerfclfError, match=r"not finite at step 0: lower train\.lr"):
        trained.compute_loss(tiny.network, dict(trained.data_collator([row])))
