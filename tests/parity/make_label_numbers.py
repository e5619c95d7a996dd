#!/usr/bin/env python3
"""Writes tests/parity/label_numbers.txt: losses and scores of several labels per picture, as PyTorch, torchvision and
scikit-learn compute them. tests/test_scores.cpp and tests/test_label_losses.cpp compare with it; they need none of the three.

    python3 tests/parity/make_label_numbers.py > tests/parity/label_numbers.txt

A line is a name, the number of values, and the values, which are read back as the same doubles. Inputs are floats.
"""
import numpy as np
import sklearn
import torch
import torchvision
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, precision_recall_curve, roc_auc_score
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torchvision.ops import sigmoid_focal_loss


def put(name, values):
    values = np.asarray(values, dtype=np.float64).reshape(-1)
    print(name, len(values), *(repr(float(value)) for value in values))


def floats(values):
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def losses():
    random = np.random.default_rng(1)
    logits = random.normal(0, 3, (6, 4))
    logits[0] = [0, 20, -20, 1e-3]
    logits[1] = [30, -30, 0, -1e-3]
    logits = floats(logits)
    targets = (random.random((6, 4)) < 0.4).astype(np.float64)
    targets[:2] = [[1, 0, 1, 0], [1, 0, 0, 1]]  # the largest logits: first all wrong or undecided, then right
    positive, negative = floats([3, 0.5, 7.25, 1]), floats([0.5, 1, 0.75, 2])
    for name, values in [("logits", logits), ("targets", targets), ("positive", positive), ("negative", negative)]:
        put("loss_" + name, values)
    a, b, t = (torch.tensor(x) for x in (positive, negative, targets))
    cases = {
        "bce": lambda x: bce(x, t),
        "bce_positive": lambda x: bce(x, t, pos_weight=a),
        "bce_weights": lambda x: bce(x, t, weight=b, pos_weight=a / b),
        "focal": lambda x: sigmoid_focal_loss(x, t, alpha=-1, gamma=2, reduction="mean"),
        "focal_alpha": lambda x: sigmoid_focal_loss(x, t, alpha=0.25, gamma=2, reduction="mean"),
        "focal_half": lambda x: sigmoid_focal_loss(x, t, alpha=-1, gamma=0.5, reduction="mean"),
    }
    for name, loss in cases.items():
        x = torch.tensor(logits, requires_grad=True)
        value = loss(x)
        value.backward()
        put(name, value.item())
        put(name + "_gradient", x.grad.numpy())


def scores():
    random = np.random.default_rng(2)
    cases = {
        "plain": (random.random(50), random.random(50) < 0.3),
        "ties": (np.round(random.random(80), 1), random.random(80) < 0.4),
        "rare": (np.round(random.random(60), 2), np.arange(60) == 17),
        "common": (np.round(random.random(40), 1), np.arange(40) != 5),
        "equal": (np.full(30, 0.25), random.random(30) < 0.5),
        "perfect": (np.arange(20) / 32, np.arange(20) >= 12),
        "reversed": (np.arange(20) / 32, np.arange(20) < 8),
    }
    for name, (p, t) in cases.items():
        p, t = floats(p), t.astype(np.float64)
        precision, recall, thresholds = precision_recall_curve(t, p)
        harmonic = [2 * a * b / (a + b) if a + b else 0 for a, b in zip(precision[:-1], recall[:-1])]
        best = thresholds[np.flatnonzero(np.isclose(harmonic, max(harmonic), rtol=1e-12))[0]]  # they rise
        bins = np.minimum((p * 15).astype(int), 14)
        counts = np.bincount(bins, minlength=15)
        share, mean = calibration_curve(t, p, n_bins=15)
        put(f"score_{name}_scores", p)
        put(f"score_{name}_targets", t)
        put(f"score_{name}_auroc", roc_auc_score(t, p))
        put(f"score_{name}_ap", average_precision_score(t, p))
        put(f"score_{name}_brier", brier_score_loss(t, p))
        put(f"score_{name}_threshold", best)
        put(f"score_{name}_f1", f1_score(t, p >= best))
        put(f"score_{name}_f1_half", f1_score(t, p >= 0.5))
        put(f"score_{name}_ece", np.sum(counts[counts > 0] * np.abs(share - mean)) / len(p))


print(f"# made by make_label_numbers.py: PyTorch {torch.__version__}, torchvision {torchvision.__version__}, "
      f"scikit-learn {sklearn.__version__}, numpy {np.__version__}")
losses()
scores()
