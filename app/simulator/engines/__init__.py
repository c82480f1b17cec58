"""State machines: one file per thing that changes state. Only these move a status."""
