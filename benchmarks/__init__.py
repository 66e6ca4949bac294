"""How fast everything is, beside the limit that it could reach on the same machine in the same minute: `make bench`.

A group of rows is a module here with a function `rows() -> Iterator[Row]` (`measure.py`) and a place in
`__main__.GROUPS`.
"""
