"""Old names of configuration keys and values, so that each gets one clear error with the new name."""

from __future__ import annotations

_ADVISERS = {"strength": "pointwise", "gbdt": "pairwise", "shipped": "pretrained"}
# Where a name may stand -> old name -> new one.
_RENAMED: dict[str, dict[str, str]] = {
    "key": {
        "sides": "renamed to trial", "bare_template": "renamed to code_only_template",
        "train.pairs": "renamed to train.labels_count", "train.reading": "renamed to train.lm_weight",
        "train.softness": "renamed to train.label_temperature", "train.checks": "renamed to train.eval_samples",
        "train.bare_share": "renamed to train.code_only_share",
        "train.teacher": "removed: a teacher made no measurable difference",
        "advice.memory": "renamed to advice.answer_cache", "evaluate.beside": "renamed to evaluate.baselines",
        "loop.risk": "renamed to loop.miss_probability", "loop.sharpness": "renamed to loop.inverse_temperature",
        "loop.references": "moved to advice.references",
    },
    "model": _ADVISERS,
    "protocol": {"heldout": "the default configuration"},
    "trial": {"one": "random"},
    "adviser": _ADVISERS, "scorer": _ADVISERS, "advice.parts": _ADVISERS, "evaluate.baselines": _ADVISERS,
    "loop.advisers": _ADVISERS, "evaluate.recipes": {"told": "with_recipe", "none": "code_only"},
    "loop.policies": {"anchored": "ask", "prior": "ask with loop.advisers=[prior]"},
}


def new_name(place: str, name: str) -> str | None:
    """What `name` is called now where `place` says it stands (``key``, a group, or a key whose value it is); None: it
    was not renamed."""
    return _RENAMED.get(place, {}).get(name)


def renamed_adviser(name: str) -> str | None:
    """The present name of an adviser."""
    return _ADVISERS.get(name)
