"""What the console knows: events folded into states; rows, logs and notices of them. No Textual."""
