"""How fast, how large, how small: caphouse beside its peers, as whole processes in turn.

    make bench                                      everything, on a capture made on the spot
    PYTHONPATH=tests python -m bench --help         parts of it, or a capture of your own

Nothing here is asserted by the tests: a figure depends on the machine and on what else it is doing. Ratios within one run,
where the commands take turns, are what can be compared.
"""
