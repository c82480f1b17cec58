"""Held against material outside the project: collected only when told where it is (make contract)."""
