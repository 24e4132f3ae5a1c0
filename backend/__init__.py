"""The backend of suggest answer. Imports nothing, so that the trainer needs no Flask."""
