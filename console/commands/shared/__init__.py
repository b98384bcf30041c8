"""What several commands share: options, output, asyncio, completion."""
