"""Screening: the guard reads a request's signals, the screen judges an order by rules, within its transaction."""
