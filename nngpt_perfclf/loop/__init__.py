"""The AutoML loop: propose, score, prune, train, record."""
