"""Who plays which task: the ledger of leases, audits, and the handing out. No socket and no clock of its own.

Not here: what a message may hold (`learner/service`). Start reading at `ledger.py`.
"""
