"""Gradient boosting teaches: it tells the rule better than single labels, and of no network that it was fitted on."""

import numpy as np
import pandas as pd
import pytest

from nngpt_perfclf.advice import teacher
from nngpt_perfclf.config import load_config
from nngpt_perfclf.models.rows import draw_lessons, soft_labels, targets

CONFIG = load_config(overrides=["threads=1", "label=rank", "train.labels=[rank]", "train.pairs=900",
                                "train.bare_share=0.2", "train.teacher=0.5", "train.softness=0"])


@pytest.fixture(scope="module")
def drawn(world):
    trials, codes, groups = world
    networks = pd.DataFrame({"group": groups, "part": "train"})
    return draw_lessons(trials, networks, CONFIG), trials, codes, networks


@pytest.fixture(scope="module")
def taught(drawn):
    return teacher.taught(*drawn, CONFIG)


def test_the_teacher_knows_the_rule_and_keeps_silent_without_recipes(drawn, taught):
    said = np.concatenate([lesson.teacher for lesson in taught])
    bare = np.concatenate([lesson.bare for lesson in taught])
    own = np.concatenate([soft_labels(lesson.pairs, lesson.labels, 0.0) for lesson in taught])
    assert (np.isnan(said) == bare).all()
    assert 0.1 < bare.mean() < 0.3
    right = (said > 0.5) == (own > 0.5)
    assert right[~bare & (own != 0.5)].mean() > 0.85
    assert [lesson.pairs.equals(one.pairs) for lesson, one in zip(taught, drawn[0], strict=True)]


def test_no_network_is_marked_by_trees_that_were_fitted_on_it(drawn, monkeypatch):
    fitted, marked = [], []
    real = teacher.fit_forest

    def noting(pairs, *rest):
        fitted.append(set(pairs["nn"]))
        return real(pairs, *rest)

    def asking(row, codes):
        marked.append((len(fitted) - 1, row.nn))
        return question(row, codes)

    question = teacher.question_of
    monkeypatch.setattr(teacher, "fit_forest", noting)
    monkeypatch.setattr(teacher, "question_of", asking)
    teacher.taught(*drawn, CONFIG)
    assert len(fitted) == teacher.FOLDS
    assert marked
    assert all(nn not in fitted[at] for at, nn in marked)


def test_targets_mix_the_label_with_what_the_teacher_says(taught):
    lesson = taught[0]
    own = soft_labels(lesson.pairs, lesson.labels, 0.0)
    mixed = targets(lesson, CONFIG.train)
    silent = np.isnan(lesson.teacher)
    assert mixed[silent] == pytest.approx(own[silent])
    assert mixed[~silent] == pytest.approx((own + lesson.teacher)[~silent] / 2)
