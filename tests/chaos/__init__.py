"""The warehouse under kill -9: workers that fight over the same captures, and readers that look all the while.

`make chaos` runs it at length (`python -m chaos --help` lists the options), `test_chaos.py` for some seconds.
"""
