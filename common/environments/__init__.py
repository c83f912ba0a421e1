"""Every environment that Chorus can train on, made from a spec string: the built-in `spread`, and adapters to others.

Not here: the interface itself (`common.environment`), the proof that an environment is pure (`common.purity`).
Start reading at `registry.py` (which spec string leads where), then `spread.py`.
"""

from common.environments.address import Address, Value, parse
from common.environments.registry import make

__all__ = ["Address", "Value", "make", "parse"]
