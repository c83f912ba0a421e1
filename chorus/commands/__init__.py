"""The shell commands, one file each: its options (`add_arguments`) and its start (`run`).

Not here: what the commands do; a command's `run` imports that only when it is called, so that help and completion stay
quick and arithmetic is pinned before NumPy is imported. Start reading at `parser.py`.
"""
