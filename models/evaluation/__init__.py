"""Evaluation of estimators, and the gate that promotes them. Nothing here needs torch."""

from models.evaluation.evaluation import Evaluation, evaluate
from models.evaluation.judged import LabelledPrediction
from models.evaluation.promotion import GateVerdict, gate
from models.evaluation.pseudo_labels import TrainingFit
from models.evaluation.report import write_report

__all__ = ["Evaluation", "GateVerdict", "LabelledPrediction", "TrainingFit", "evaluate", "gate", "write_report"]
