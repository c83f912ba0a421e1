"""The assignment of tasks to actors: the ledger of leases, dispatch, audits. No socket and no clock of its own.

Not here: what a message may hold (`learner/service`). Start reading at `ledger.py`.
"""
