"""Every environment that Chorus can train on, made from a spec string: the built-in `spread`, and adapters to others.

Not here: how a task is played (`actor`). Start reading at `interface.py`, what an environment must do; then
`registry.py` (which spec string leads where) and `spread.py`.
"""

from chorus.common.environments.address import Address, Value, parse
from chorus.common.environments.registry import make

__all__ = ["Address", "Value", "make", "parse"]
