"""How dates are written for people, by language; Django's `FORMAT_MODULE_PATH`."""
