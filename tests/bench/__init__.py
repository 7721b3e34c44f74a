"""How fast, how large, how small: caphouse beside its peers, as whole processes in turn.

    make bench                                      everything, on a capture made on the spot; hours, most of it for tshark
    make bench QUICK=1                              each command once
    make bench ROUNDS=3 PARTS="many queries"        parts of it
    make bench PARTS=long                           memory on 10 GB
    PYTHONPATH=tests python -m bench --help         what else there is, such as a capture of your own

Nothing here is asserted by the tests: a figure depends on the machine and on what else it is doing. Ratios within one run,
where the commands take turns, are what can be compared.
"""
