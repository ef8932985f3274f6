"""The model that `train` trains: who will pay a loan back, a logistic regression, fitted epoch by epoch.

The rows are parted once, by a fixed shuffle, into those that it learns from (60 of 100), those that decide whether it
is good enough, and those that nobody looks at until it is: only what is measured on the last is an honest number.
"""

# scikit-learn says nothing of its types.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import attrs
import msgspec
import numpy as np
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from examples.loan_desk_data import COLUMNS, NAMES, Application

SPLIT = 7
"""The seed of the shuffle: the same rows are held out whenever the same file is read."""
RATE = 0.01
CODES = tuple(name for name, column in zip(NAMES, COLUMNS, strict=True) if column.codes)
NUMBERS = tuple(name for name in NAMES if name not in CODES and name != "good")


@attrs.frozen
class Epoch:
    """How far a training has come: epochs done, and all that the model has learned."""

    done: int = 0
    weights: tuple[float, ...] = ()
    bias: float = 0.0
    loss: float = 0.0


@attrs.frozen
class Examples:
    """Rows as numbers, parted: each part a matrix of features and a vector of 1 (paid back) and 0."""

    learn: tuple[Any, Any]
    choose: tuple[Any, Any]
    hold_out: tuple[Any, Any]


def load(path: Path) -> Examples:
    """Read cleaned rows, part them, and scale and encode them by what the first part shows."""
    rows = msgspec.json.decode(path.read_bytes(), type=list[Application])
    random.Random(SPLIT).shuffle(rows)
    first, second = len(rows) * 6 // 10, len(rows) * 8 // 10
    numbers: Any = np.array([[getattr(row, name) for name in NUMBERS] for row in rows], dtype=float)
    codes: Any = np.array([[getattr(row, name) for name in CODES] for row in rows])
    scaler: Any = StandardScaler().fit(numbers[:first])
    encoder: Any = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(codes[:first])
    features: Any = np.hstack([scaler.transform(numbers), encoder.transform(codes)])
    paid: Any = np.array([int(row.good == 1) for row in rows])
    bounds = (slice(0, first), slice(first, second), slice(second, None))
    return Examples(*((features[part], paid[part]) for part in bounds))


def advance(examples: Examples, epoch: Epoch, *, strictness: float) -> Epoch:
    """One epoch more. From the same epoch the same comes, whoever trained those before."""
    features, paid = examples.learn
    model = _model(epoch, strictness, features.shape[1])
    order: Any = np.random.default_rng(epoch.done).permutation(len(paid))
    model.partial_fit(features[order], paid[order], classes=[0, 1])
    margins: Any = np.where(paid == 1, 1, -1) * model.decision_function(features)
    loss = float(np.mean(np.logaddexp(0, -margins)))
    return Epoch(epoch.done + 1, tuple(float(one) for one in model.coef_[0]), float(model.intercept_[0]), loss)


def area(part: tuple[Any, Any], epoch: Epoch) -> float:
    """The area under the ROC curve: how often one who paid is ranked above one who did not. 0.5 is chance."""
    features, paid = part
    margins: Any = features @ np.array(epoch.weights) + epoch.bias
    return round(float(roc_auc_score(paid, margins)), 4)


def _model(epoch: Epoch, strictness: float, width: int) -> Any:
    model: Any = SGDClassifier(loss="log_loss", alpha=strictness, learning_rate="constant", eta0=RATE, shuffle=False)
    model.classes_ = np.array([0, 1])
    model.coef_ = np.array([epoch.weights or [0.0] * width])
    model.intercept_ = np.array([epoch.bias])
    model.t_ = 1.0
    return model
