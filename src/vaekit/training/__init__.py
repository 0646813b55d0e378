"""Training: one loop, its checkpoint, its schedules and its callbacks."""

from vaekit.training.callbacks import MLflowCallback, TensorBoardCallback, WandbCallback
from vaekit.training.loop import Interrupted, TrainingSettings, train

__all__ = ["Interrupted", "MLflowCallback", "TensorBoardCallback", "TrainingSettings", "WandbCallback", "train"]
