"""Communication of actor and learner: channels, credentials, trajectories and weights as messages.

Not here: the protocol (`actor/session.py`, `learner/service`). Start reading at `wire.py`.
"""
