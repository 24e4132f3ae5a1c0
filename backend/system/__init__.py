"""What every process asks of the machine, once: resources, files, processes, logs, SQLite."""
