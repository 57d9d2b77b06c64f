"""Composition: configuration, settings, URLs, the ASGI application, the server and `manage.py up`.

Nothing else in the project imports this package.
"""
