#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs after all other system tests: none of them has left anything behind."""

from context import run, test
from leftovers import abandoned


@test
def no_test_bed_left_anything_behind():
    assert abandoned() == []


run()
