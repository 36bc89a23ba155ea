"""Checkpoints: the estimators that trainings made."""
