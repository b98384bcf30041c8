"""One task or the demo from start to verdict, without a screen."""
