"""Journeys run in a real shop, in a real browser: fixtures in tests/infra/stacks.py and browser.py."""
