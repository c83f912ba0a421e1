"""How actor and learner talk: channels, credentials, and trajectories and weights as messages.

Not here: what is said when (`actor/client.py`, `learner/service`). Start reading at `wire.py`.
"""
