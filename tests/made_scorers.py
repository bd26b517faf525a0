"""Made-up candidates and advisers for the gate: a candidate's score is the learning rate of its recipe."""

from nngpt_perfclf.types import Candidate, Recipe, Score

SOUND = """
class Net:
    def forward(self): pass
    def learn(self): pass
    def train_setup(self): pass
def supported_hyperparameters(): pass
"""


def candidate(score: float, number: int = 0) -> Candidate:
    return Candidate(f"net-{number}", SOUND + f"# {number}", Recipe(lr=score))


def a_score(value, decided=True):
    return Score(float(value), 0.5, 0.1, 0.9, decided, "made up")


class ByRate:
    """Scores each candidate by its learning rate."""

    def score(self, candidates, target):
        return [a_score(one.recipe.lr) for one in candidates]


class Undecided:
    def score(self, candidates, target):
        return [a_score(one.recipe.lr, decided=False) for one in candidates]


class Raising:
    def score(self, candidates, target):
        raise RuntimeError("out of \n order")


class Saying:
    """Returns whatever it is made with."""

    def __init__(self, answer):
        self.answer = answer

    def score(self, candidates, target):
        return self.answer
