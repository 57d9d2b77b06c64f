"""The fault matrix: what is done to whom, what must stay true meanwhile, and how long it takes to be well.

``python -m tests.faults.matrix`` runs all of it and prints the table; `docs/FAULTS.md` is that table.
"""
