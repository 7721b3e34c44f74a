/* ---
title = "TCP connections to be counted"
description = """
The rows of `handshakes`; when everything is to count once, those of `_connections_once`.
"""
needs = ["handshakes"]
--- */
select *
from handshakes
