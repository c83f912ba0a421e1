"""Every setting of a run: what there is, what is allowed, how it is read, how it changes over a run.

Not here: what a setting does; that is in the room that obeys it. Start reading at `config.py`.
"""
