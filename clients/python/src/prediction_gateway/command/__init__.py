"""The command ``pgw``: a gateway at the terminal and in pipes."""
