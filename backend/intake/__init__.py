"""Raw help desk records → clean question and answer pairs.

Reads the lines of an export folder, says who wrote what, takes mail and HTML apart, and finds near
duplicates. Shared by `suggest-answer import` and the trainer: no database, no web, no models.
"""
