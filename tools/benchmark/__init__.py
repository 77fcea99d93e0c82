# SPDX-License-Identifier: Apache-2.0
"""The modules behind tools/bench: what is measured, on what, and how it is judged."""
