"""Environments in processes of their own: a crash, a hang or a leak there affects nothing else.

Not here: what an environment is (`common/environments`). Start reading at `isolated.py`, as the caller sees it; then
`host.py`, the process that plays, and `messages.py`, what the two say to each other.
"""
