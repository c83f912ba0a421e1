"""The processes that are one learner together: who owns which task, what is added over all, how each stands.

Not here: what is computed of a task (`learner/gradient`), what a step is made of (`learner/update`). Start reading at
`group.py`, then `exact_sum.py`.
"""
