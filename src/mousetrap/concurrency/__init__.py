"""Group commit and a weighted semaphore; pure asyncio."""
