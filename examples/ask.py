"""Ask about one network from Python, as the author of an AutoML loop would."""

import sys
from pathlib import Path

import nngpt_perfclf
from nngpt_perfclf import Question, Recipe


def main(adviser_name: str = "pointwise") -> None:
    adviser = nngpt_perfclf.load_advisor(adviser_name)
    code = Path(__file__).with_name("network.py").read_text(encoding="utf-8")
    recipe = Recipe(lr=0.01, momentum=0.9, batch=64, dropout=0.2, transform="norm_64_flip")
    questions = [Question(code, "cifar-10", other, recipe, recipe) for other in ("cifar-100", "mnist", "svhn")]
    for question, advice in zip(questions, adviser.advise_many(questions), strict=True):
        if advice is None:
            print(f"{question.ds_a} or {question.ds_b}: no opinion")
        else:
            print(f"{question.ds_a} or {question.ds_b}: {advice.better}, {advice.probability:.0%} ({advice.reason})")


if __name__ == "__main__":
    main(*sys.argv[1:])
