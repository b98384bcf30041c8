"""The app's seam to the world, and the real session behind it."""
