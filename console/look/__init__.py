"""What things look like: numbers, colours, highlighting, the palette, and how often is painted."""
