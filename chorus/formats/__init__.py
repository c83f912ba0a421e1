"""Files that a policy is taken home in: ONNX, TorchScript, safetensors; each acts without Chorus.

Not here: what asks for them (`chorus/api/export.py`, `chorus/commands/export.py`). Start reading at `model.py`,
then `network.py`; `graph.py` has the operations that each format writes.
"""
