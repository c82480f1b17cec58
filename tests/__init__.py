"""The tests mirror app/; what they run on (database, servers, browser) lives in tests/infra."""
