"""What every part needs to be seen from outside: logging, request context, outages. Knows no app."""
