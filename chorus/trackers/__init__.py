"""Where people already look: runs told to TensorBoard, MLflow, Weights & Biases, Trackio, each by one small callback.

Not here: the interface that they implement (`chorus/api/callbacks.py`). Start reading at `tracker.py`.
"""
