"""The rules, one file per noun. Verbs never commit: routes and the worker do, visibly."""
