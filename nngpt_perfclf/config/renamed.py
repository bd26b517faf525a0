"""What became of old configuration keys and values, so that each gets one clear error."""

_ADVISERS = {"strength": "renamed to pointwise", "gbdt": "renamed to pairwise", "shipped": "renamed to pretrained"}
# Where a name may stand -> old name -> what became of it.
_FATES: dict[str, dict[str, str]] = {
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
    "protocol": {"heldout": "removed: it was the default configuration"},
    "trial": {"one": "renamed to random"},
    "evaluate.recipes": {"told": "renamed to with_recipe", "none": "renamed to code_only"},
    "loop.policies": {"anchored": "renamed to ask", "prior": "replaced by ask with loop.advisers=[prior]"},
    **dict.fromkeys(("model", "adviser", "scorer", "advice.parts", "evaluate.baselines", "loop.advisers"), _ADVISERS),
}


def fate_of(place: str, name: str) -> str | None:
    """What became of an old name in this `place` (``key``, a group, or a key whose value it is), to follow
    "was"; None: it is no old name."""
    return _FATES.get(place, {}).get(name)
