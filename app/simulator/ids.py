"""Identifiers with Stripe's prefixes and lengths; with a seed the same run gives the same ones."""

from __future__ import annotations

import os
import random
import string

ALPHABET = string.digits + string.ascii_letters
LENGTHS = {"cs_test_": 58, "cus_": 14, "prod_": 14, "sub_": 24, "si_": 14, "req_": 14, "whsec_": 32}


class Ids:
    """Makes identifiers. `count` is how many a seeded run has made: set it to resume after a restart."""

    def __init__(self, seed: str | None = None) -> None:
        self.seed = seed
        self.count = 0
        self._random = random.Random(os.urandom(32))  # noqa: S311 - names of test objects, not secrets

    def new(self, prefix: str, length: int | None = None) -> str:
        """A fresh identifier beginning with `prefix`."""
        source = self._random
        if self.seed is not None:
            self.count += 1
            source = random.Random(f"{self.seed}:{self.count}")  # noqa: S311
        size = length or LENGTHS.get(prefix, 24)
        return prefix + "".join(source.choices(ALPHABET, k=size))
