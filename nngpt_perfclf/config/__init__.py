"""Configuration: `conf/perfclf.yaml` holds every default, files and `key=value` words override it."""

from nngpt_perfclf.config.loading import choices, conf_folder, home, load_choice, load_config, to_dict
from nngpt_perfclf.config.schema import (
    AdviceConfig,
    Config,
    CorpusConfig,
    EvaluateConfig,
    LoopConfig,
    LoraConfig,
    ModelConfig,
    NngptConfig,
    RecipeConfig,
    SplitConfig,
    TrainConfig,
)

__all__ = ["AdviceConfig", "Config", "CorpusConfig", "EvaluateConfig", "LoopConfig", "LoraConfig", "ModelConfig",
           "NngptConfig", "RecipeConfig", "SplitConfig", "TrainConfig", "choices", "conf_folder", "home",
           "load_choice", "load_config", "to_dict"]
