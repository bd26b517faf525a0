import json
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.config import load_config
from nngpt_perfclf.local_training import trainer
from nngpt_perfclf.local_training.checkpoints import Checkpoints
from nngpt_perfclf.plugins import get_plugin_manager
from nngpt_perfclf.sandbox import process as sandbox
from nngpt_perfclf.types import Candidate, PerfclfError, Recipe

LIMITS = sandbox.Limits(seconds=600, memory=4)
NET = textwrap.dedent("""
    import torch
    from torch import nn

    def supported_hyperparameters():
        return {'lr', 'momentum'}

    class Net(nn.Module):
        def __init__(self, in_shape, out_shape, prm, device):
            super().__init__()
            self.device = device
            self.layers = nn.Sequential(nn.Conv2d(in_shape[1], 8, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(7),
                                        nn.Flatten(), nn.Linear(8 * 49, out_shape[0]))

        def forward(self, x):
            return self.layers(x)

        def train_setup(self, prm):
            self.criterion = nn.CrossEntropyLoss()
            self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])

        def learn(self, train_data):
            print('talkative')
            for inputs, labels in train_data:
                self.optimizer.zero_grad()
                self.criterion(self(inputs.to(self.device)), labels.to(self.device)).backward()
                self.optimizer.step()
""")
SMALL = Candidate("small", NET, Recipe(lr=0.05, momentum=0.9, batch=16))


def test_a_network_learns_the_digits_the_same_way_each_time():
    first, second = (trainer.train_in_sandbox(SMALL, "digits", LIMITS, seed=0).outcome for _ in range(2))
    assert first.failure == ""
    assert first.accuracy > 0.5
    assert first.accuracy == second.accuracy


def test_images_in_colour_can_be_trained_on_too():
    outcome = trainer.train_in_sandbox(SMALL, "shapes", LIMITS, seed=0).outcome
    assert outcome.failure == ""
    assert outcome.accuracy > 2 / 8


def test_what_a_recipe_does_not_state_is_nngpts_default_and_the_batch_fits_the_data():
    assert trainer.parameters(Recipe()) == {"lr": 0.01, "momentum": 0.9, "batch": 32, "dropout": 0.2,
                                          "transform": "norm_256_flip", "epoch": 1}
    assert trainer.parameters(Recipe(lr=0.5, batch=4))["batch"] == 4
    assert trainer.parameters(Recipe(dropout=0.0))["dropout"] == 0.0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_the_accuracy_is_counted_outside_of_the_sandbox(labels):
    answer = json.dumps(labels).encode()
    assert trainer.accuracy_of(answer, np.array(labels), 4) == 1.0
    assert trainer.accuracy_of(answer, np.array(labels) + 1, 4) == 0.0


@pytest.mark.parametrize("answer", [b"", b"[0]", b"[0, 1, 4]", b"[0, 1, -1]", b"[0, 1, true]", b"[0, 1, 1.0]", b"1.0",
                                    b'{"accuracy": 1.0}', b"[" * 100_000, b"\xff", b"cos\nsystem\n", b"[0, 1, 2] [0]"])
def test_anything_but_a_list_of_classes_is_no_answer(answer):
    assert trainer.accuracy_of(answer, np.array([0, 1, 2]), 4) is None


def test_code_is_judged_by_its_text_alone():
    assert trainer.runs_here(NET)
    assert not trainer.runs_here("import nowhere_installed")
    assert not trainer.runs_here("from . import sibling")
    assert not trainer.runs_here("def f(prm): return prm['dropout_aux']")
    assert not trainer.runs_here("this is no code")


def test_other_data_sets_are_left_to_other_plugins(tmp_path):
    config = load_config(overrides=["loop=local"])
    manager = get_plugin_manager(trainer.plugin(config, Checkpoints(tmp_path)), installed=False)
    assert manager.hook.train(candidate=SMALL, target="cifar-10") is None
    assert manager.hook.propose(target="cifar-10", count=1, seed=0) is None


def test_a_kernel_that_cannot_hide_the_labels_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(trainer.sandbox, "protections", lambda: {"reading": "none"})
    trainer.plugin(load_config(overrides=["loop=local"]), Checkpoints(tmp_path))
    assert "this kernel has no Landlock" in capsys.readouterr().err


def test_an_unknown_target_is_named(tmp_path):
    with pytest.raises(PerfclfError, match="no local image set 'cifar-10'"):
        trainer.plugin(load_config(overrides=["loop=local", "loop.targets=[cifar-10]"]), Checkpoints(tmp_path))


def epoch_by_epoch(candidate, epochs, folder, *words):
    """Outcomes of a candidate that is trained by new trainers, one for each epoch."""
    config = load_config(overrides=["loop=local", f"epoch={epochs}", "loop.time_limit=600", *words])
    outcomes = []
    for _ in range(epochs):
        one = trainer.LocalTrainer(config, Checkpoints(folder))
        outcomes.append(one.train(candidate=candidate, target="digits"))
        one.candidate_trained(candidate=candidate, outcome=outcomes[-1])
        candidate = candidate.after(outcomes[-1])
    return outcomes


def test_training_goes_on_from_the_checkpoint_of_the_epoch_before(tmp_path):
    first, second = epoch_by_epoch(SMALL, 2, tmp_path)
    alone = trainer.train_in_sandbox(SMALL, "digits", LIMITS, seed=0, epochs=1).outcome
    assert first.failure == second.failure == ""
    assert first.accuracy == alone.accuracy
    assert second.accuracy > first.accuracy
    assert not list(tmp_path.iterdir()), "the last epoch leaves no state, and that of the first is not needed any more"


def test_an_epoch_that_is_repeated_from_its_checkpoint_gives_the_same_result(tmp_path):
    config = load_config(overrides=["loop=local", "epoch=3", "loop.time_limit=600"])
    one = trainer.LocalTrainer(config, Checkpoints(tmp_path))
    begun = SMALL.after(one.train(candidate=SMALL, target="digits"))
    # Nobody recorded the second epoch: its driver was killed.
    interrupted, again = (one.train(candidate=begun, target="digits") for _ in range(2))
    assert interrupted.accuracy == again.accuracy
    assert len(list(tmp_path.iterdir())) == 2


def test_without_its_checkpoint_a_training_cannot_go_on(tmp_path):
    config = load_config(overrides=["loop=local", "epoch=2"])
    with pytest.raises(PerfclfError, match="no checkpoint of small after epoch 1"):
        trainer.LocalTrainer(config, Checkpoints(tmp_path)).train(candidate=replace(SMALL, seen={1: 0.5}),
                                                                  target="digits")


def hostile(learn):
    """A network whose `learn` is this one line; `answer` is the channel on which it hands its answer back."""
    return Candidate("hostile", textwrap.dedent(f"""
        import json, os, sys
        from torch import nn

        class Net(nn.Module):
            def __init__(self, in_shape, out_shape, prm, device):
                super().__init__()
                self.layer = nn.Linear(1, 10)

            def forward(self, x):
                return self.layer(x.mean((1, 2, 3))[:, None])

            def train_setup(self, prm):
                pass

            def learn(self, train_data):
                out = max(int(fd) for fd in os.listdir('/proc/self/fd'))
                {learn}
        """))


@pytest.mark.parametrize(("learn", "complaint"), [
    ("sys.modules['__main__'].state_of = lambda network: {'x': '0' * 2**28}", "printed more than"),
    ("self.big = __import__('torch').zeros(2**24)", "printed more than"),
    ("sys.modules['__main__'].torch.save = lambda *a: None", "handed back no state to go on from"),
], ids=["too large by its own hand", "too large", "none"])
def test_a_state_that_is_too_large_or_missing_is_a_failure(learn, complaint, tmp_path):
    config = load_config(overrides=["loop=local", "epoch=2", "loop.time_limit=600", "loop.checkpoint_limit=2"])
    outcome = trainer.LocalTrainer(config, Checkpoints(tmp_path)).train(candidate=hostile(learn), target="digits")
    assert complaint in outcome.failure
    assert not list(tmp_path.iterdir())


def test_a_state_that_would_run_code_is_refused_by_the_candidates_own_process(tmp_path):
    pickled = "class Evil:\n    def __reduce__(self):\n        return (print, ('pwned',))\n"
    learn = f"exec({pickled!r}, globals()); sys.modules['__main__'].state_of = lambda network: Evil()"
    first, second = epoch_by_epoch(hostile(learn), 2, tmp_path)
    assert first.failure == ""
    assert "weights_only" in second.failure
