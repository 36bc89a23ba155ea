"""How good an estimator is, and whether it may replace the current one. Nothing here needs torch."""

from models.evaluation.evaluation import Evaluation, evaluate
from models.evaluation.judged import Judged
from models.evaluation.promotion import Verdict, gate
from models.evaluation.pseudo_labels import Learnt
from models.evaluation.report import write_report

__all__ = ["Evaluation", "Judged", "Learnt", "Verdict", "evaluate", "gate", "write_report"]
