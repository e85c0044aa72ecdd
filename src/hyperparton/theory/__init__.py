"""FK tables from theory cards: build, check and list them.

Building needs the packages of the extra `theory` (yadism and eko); they are imported when a build starts.
"""
