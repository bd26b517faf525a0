"""The two protocols as configuration: what was agreed on stands in their files, and the user has the last word."""

from nngpt_perfclf.config import load_config


def test_the_papers_settings_are_those_of_the_reference():
    config = load_config(overrides=["protocol=paper"])
    told = config.evaluate
    assert (told.answer, told.prompts, told.rounds, config.epoch) == ("generated", 30, 15, 5)
    assert (config.lora.rank, config.lora.alpha, config.lora.dropout, config.lora.layers) == (32, 32, 0.05, 24)
    assert set(config.lora.targets) == {f"{name}_proj" for name in ("q", "k", "v", "o", "up", "down", "gate")}
    train = config.train
    assert (train.lr, train.schedule, train.warmup, train.clip, train.labels_count) == (1e-6, "cosine", 0.05, 1.0, 1024)
    assert (train.batch, train.accumulate, train.loss, train.max_tokens) == (1, 8, "full", 4096)
    assert (told.temperature, told.top_k, told.top_p, told.new_tokens) == (0.8, 70, 0.9, 150)


def test_what_the_user_says_wins_over_a_protocol():
    config = load_config(overrides=["evaluate.prompts=5", "protocol=paper", "model=qwen2.5-coder-1.5b"])
    assert (config.evaluate.prompts, config.model.name) == (5, "qwen2.5-coder-1.5b")
