"""Training: one loop, its checkpoint, its schedules and its callbacks."""

from vaekit.training.loop import Interrupted, TrainingSettings, train

__all__ = ["Interrupted", "TrainingSettings", "train"]
