"""Suites: families of all that a library offers, one library a folder, which is named after its distribution.

A folder that is about a part of a library has a name of its own, and says in its `__init__.py` which distribution that is:
`LIBRARY = "torch"`. Files of families are imported when their suite is asked for, and the library is installed. Other
packages offer suites of their own as entry points of the group `coequal.suites`: a module or a package, under the name of
the distribution that it is about.
"""
