"""What `manage.py doctor` looks at. Each module yields findings; a failed one names its remedy."""
