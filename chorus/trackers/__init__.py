"""Experiment trackers: runs logged to TensorBoard, MLflow, and Weights & Biases, by one small callback each.

Not here: the interface that they implement (`chorus/api/callbacks.py`). Start reading at `tracker.py`.
"""
