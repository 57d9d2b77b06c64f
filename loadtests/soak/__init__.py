"""Hours of moderate load: what grows that should not. `make soak`."""
