"""Properties of image datasets that are known before any training."""

from nngpt_perfclf.datasets.properties import DatasetProperties, dataset_properties

__all__ = ["DatasetProperties", "dataset_properties"]
