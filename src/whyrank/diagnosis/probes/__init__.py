"""Probes, by theme: each reads what was recorded and yields findings, none on healthy records.

`data`, `batches` and `truncation` need no training and import nothing beyond pandas, so that `prepare` stays light.
"""
