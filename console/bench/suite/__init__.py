"""The benchmarks, one a file: `async def run(report: Report) -> None`.

The file's docstring explains its figures: it is the chapter's text in docs/benchmarks.md.
"""
