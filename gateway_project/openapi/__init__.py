"""The contract of HTTP as an OpenAPI 3.1 document: docs/openapi.json, which `manage.py openapi` makes.

What is a route's own stands in `schema.py` of its app and is read by drf-spectacular; what follows from the
table of access, the catalogue of errors and the rim is put there here, so that it can be said once.
"""
