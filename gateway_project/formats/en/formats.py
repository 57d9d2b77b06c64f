"""Dates as in the logs and the API rather than as in the United States: they are read side by side."""

DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "Y-m-d H:i"
