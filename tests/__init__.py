"""The test suite: mirrors the apps, plus `integration` and `faults` on whole running stacks."""
