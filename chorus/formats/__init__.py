"""File formats for exported policies: ONNX, TorchScript, safetensors. Each file can act without Chorus.

Not here: the callers (`chorus/api/export.py`, `chorus/commands/export.py`). Start reading at `model.py`,
then `network.py`; `graph.py` has the operations that each format writes.
"""
