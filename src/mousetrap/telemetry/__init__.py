"""How a process tells what it does and how it is: logs and health."""
