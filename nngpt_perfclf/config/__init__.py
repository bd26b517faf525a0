"""Configuration: `conf/perfclf.yaml` holds every default, files and `key=value` words override it."""

from nngpt_perfclf.config.loading import choices, conf_folder, home, load_choice, load_config, to_dict
from nngpt_perfclf.config.schema import Config, EvaluateConfig, ModelConfig, RecipeConfig, SplitConfig

__all__ = ["Config", "EvaluateConfig", "ModelConfig", "RecipeConfig", "SplitConfig", "choices", "conf_folder", "home",
           "load_choice", "load_config", "to_dict"]
