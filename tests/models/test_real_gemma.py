import numpy as np
import pytest
import torch

from nngpt_perfclf.config import load_config
from nngpt_perfclf.models.adapter import with_adapter
from nngpt_perfclf.models.language import load
from nngpt_perfclf.models.rows import option_row
from nngpt_perfclf.models.train import make_trainer
from nngpt_perfclf.models.zoo import ensure_ready
from nngpt_perfclf.prompts import Prompt

NAMES = ("cifar-10", "cifar-100", "mnist")
PROMPTS = [Prompt("On which dataset does the network do better?\n", "conv3:cin>64 bn relu fc>n\n",
                  f"{a}: lr-1\n{b}: lr-4\nbetter:\n", (a, b)) for a in NAMES for b in NAMES if a != b]


@pytest.mark.slow
def test_answers_are_told_apart_and_a_few_steps_bring_the_loss_down(tmp_path):
    config = load_config(None, ["train.batch=1", "train.epochs=6", "train.lr=1e-3", "train.schedule=constant",
                                "train.warmup=0", "train.lm_weight=1", "lora.rank=4"])
    model = with_adapter(load(ensure_ready(config.model)), config)
    odds = model.score(PROMPTS)
    assert len(set(odds.round(3))) == len(PROMPTS)
    row = option_row(model.encoder, PROMPTS, np.ones(len(PROMPTS)), np.zeros(len(PROMPTS)), 200)
    trainer = make_trainer(model, [row], config, tmp_path / "run", [])
    before = float(np.logaddexp(0, -odds).mean())
    with torch.no_grad():
        loss = trainer.compute_loss(trainer.model, trainer.data_collator([row]))
    assert float(loss) == pytest.approx(before, rel=0.05), "what is trained on is the log-loss of what is answered"
    trainer.train()
    assert float(np.logaddexp(0, -model.score(PROMPTS)).mean()) < 0.7 * before
