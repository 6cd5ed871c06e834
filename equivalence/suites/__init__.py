"""Suites: families of all that a library offers, one library a folder, which is named after its distribution.

A folder is imported when its suite is asked for, and the library is installed. Other packages offer suites of their own as
entry points of the group `coequal.suites`: a module or a package, under the name of the distribution that it is about.
"""
