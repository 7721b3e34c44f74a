/* ---
title = "Packets and bytes per flow, duplicates and all"
description = """
What `traffic` is before duplicates are taken out of it.
"""
needs = ["traffic"]
--- */
select *
from traffic
