"""Parity: does caphouse give Wireshark's answers?

Each capture is described twice in the same terms (`model.Capture`): once from what tshark said (`oracle`, stored beside the corpus;
`tshark`, run afresh), once from a warehouse (`ours`). `compare` counts, aspect by aspect, in how much the two agree, and `table` prints it.

    make parity                              the corpus against its stored oracle
    make parity CAPTURES=FOLDER              any captures against the tshark that is installed
"""
