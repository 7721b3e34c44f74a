"""caphouse: a SQL-backed warehouse for packet captures."""
