#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: write.py TABLE FILE: writes the cases of one table for the C++ runner."""

import importlib
import sys

importlib.import_module(sys.argv[1]).make().write(sys.argv[2])
