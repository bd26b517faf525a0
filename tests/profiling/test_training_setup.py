import pytest
from profiled_networks import SHAPES, network

from nngpt_perfclf.profiling import build
from nngpt_perfclf.profiling.checking import structure_from
from nngpt_perfclf.profiling.settings import setup_at
from nngpt_perfclf.types import Recipe

RECIPE = Recipe(lr=0.5, momentum=0.25)


def setup(body):
    found = build.profile(network(setup=body), SHAPES)
    return setup_at(structure_from(found), RECIPE)


def test_sgd_as_the_recipe_says():
    found = setup("self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'], "
                  "nesterov=True, weight_decay=5e-4)")
    assert (found.optimizer, found.lr, found.momentum, found.nesterov) == ("SGD", 0.5, 0.25, True)
    assert (found.weight_decay, found.groups, found.scheduler, found.loss) == (5e-4, 1, None, "CrossEntropyLoss")
    assert found.optimized == 3 * 8 * 9 + 8 + 16 + 90


def test_the_rate_that_is_really_set_counts():
    assert setup("self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'] * 0.1)").lr == 0.05
    assert setup("self.optimizer = torch.optim.SGD(self.parameters(), lr=3e-4)").lr == 3e-4
    assert setup("self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'] + 1)").lr == 1.5


def test_the_momentum_may_be_a_beta():
    found = setup("self.optimizer = torch.optim.AdamW(self.parameters(), lr=prm['lr'], betas=(prm['momentum'], 0.98))")
    assert (found.optimizer, found.beta1, found.beta2, found.momentum) == ("AdamW", 0.25, 0.98, None)


def test_schedule_loss_and_groups():
    found = setup("""
        self.optimizer = torch.optim.Adam([{"params": self.head.parameters(), "lr": prm["lr"] * 10},
                                           {"params": self.layers.parameters()}], lr=prm["lr"])
        self.schedules = [torch.optim.lr_scheduler.OneCycleLR(self.optimizer, prm["lr"], total_steps=9)]
        self.criteria = {"main": nn.CrossEntropyLoss(label_smoothing=0.1, weight=torch.ones(10))}
    """)
    assert (found.scheduler, found.loss, found.groups) == ("OneCycleLR", "CrossEntropyLoss", 2)
    assert (found.label_smoothing, found.class_weights) == (0.1, True)


@pytest.mark.parametrize(("body", "field", "name"), [
    ("class Mine(torch.optim.SGD): pass\nself.optimizer = Mine(self.parameters(), lr=1)", "optimizer", "SGD"),
    ("class Mine(torch.optim.Optimizer): pass\nself.optimizer = Mine(self.parameters(), {'lr': 1})", "optimizer",
     "custom"),
    ("class Mine(nn.Module): pass\nself.criteria = (Mine(),)", "loss", "custom"),
    ("self.criteria = None", "loss", None), ("self.steps = 3", "optimizer", None),
    ("self.criterion = nn.NLLLoss()\ndel self.criteria", "loss", "NLLLoss"),
])
def test_classes_are_named_after_pytorchs(body, field, name):
    assert getattr(setup(body), field) == name
