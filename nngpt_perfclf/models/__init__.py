"""Language models: the model zoo, LoRA fine-tuning and two-option scoring."""
