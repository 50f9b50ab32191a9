"""Helpers of the Dynamic Context Memory notebooks: find a content that serves a question and its answer.

Start at :class:`dcm_helpers.optimizer.ContentOptimizer` (the one loop), or run
``python -m dcm_helpers.run_phase1a --help``.
"""
