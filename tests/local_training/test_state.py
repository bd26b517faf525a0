"""What a network keeps from epoch to epoch: with it, training goes on as if it had not stopped."""

import io

import pytest
import torch
from torch import nn

from nngpt_perfclf.local_training.state import restore, state_of


class Net(nn.Module):
    """Momentum, a schedule, a buffer, numbers and tensors as attributes: each of them matters to the next epoch."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
        self.inner[0].steps = 0
        self.average = torch.zeros(3)
        self.epochs_done = 0

    def train_setup(self):
        self.optimizer = torch.optim.Adam(self.parameters(), 0.05)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, 1, 0.5)

    def learn(self, seed):
        torch.manual_seed(seed)
        for _ in range(5):
            x = torch.randn(16, 4)
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.inner(x), x[:, :3].argmax(1)) * (1 + self.epochs_done)
            (loss + self.inner[3].bias @ self.average).backward()
            self.optimizer.step()
            self.inner[0].steps += 1
            self.average = 0.9 * self.average + 0.1 * self.inner[3].bias.detach()
        self.schedule.step()
        self.epochs_done += 1


def started():
    torch.manual_seed(0)
    network = Net()
    network.train_setup()
    return network


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_training_that_was_stopped_at_each_epochs_end_equals_training_in_one_go():
    whole = started()
    for seed in range(3):
        whole.learn(seed)
    state = None
    for seed in range(3):
        parts = started()
        if state:
            restore(parts, state)
        parts.learn(seed)
        state = through_a_file(state_of(parts))
    assert all(map(torch.equal, whole.state_dict().values(), parts.state_dict().values()))
    assert (parts.epochs_done, parts.inner[0].steps) == (3, 15)
    assert torch.equal(whole.average, parts.average)
    assert whole.schedule.get_last_lr() == parts.schedule.get_last_lr()


def test_an_optimiser_that_is_made_while_learning_cannot_be_restored():
    network = started()
    network.late = torch.optim.SGD(network.parameters(), 0.1)
    with pytest.raises(KeyError, match="late is not made by train_setup"):
        restore(started(), state_of(network))
