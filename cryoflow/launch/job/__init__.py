"""One job: its directory, device, logs, record and exit marker."""
