"""How tasks of one process share work; pure asyncio."""
