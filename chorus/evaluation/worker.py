"""A process that plays a share of an evaluation: `python -m chorus.evaluation.worker`, told by `match.py` what."""

from __future__ import annotations

from chorus.common.process import arithmetic

if __name__ == "__main__":
    arithmetic.pin()
    from chorus.evaluation.match import work

    work()
