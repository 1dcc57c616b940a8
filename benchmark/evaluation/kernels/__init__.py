"""Loops over pairs of a query and an item, compiled by numba.

Importing any module of this folder but `layout` imports numba. All arithmetic is in whole numbers,
except in `ranking.sum_precisions`, so the compiler may reorder operations without changing a
result. The loops release the interpreter's lock. Besides a block's buffers they allocate one bit an
item and, to rank all relevant items, eight bytes for each of those.

Counting: the *key* of an item is a whole number made of its distance and its level, such as its
cell in a histogram, ``distance + radii * level``. Short loops without branches, which the compiler
turns into vector instructions, make the keys of a block of items; then the keys are counted one by
one. This counting limits the speed, because a processor adds to one counter at a time. So where the
histogram is small, the keys of two items, one from each half of the database, are combined to the
index of a square of cells, and one addition counts both.

Ranking: relevant items are ranked in the same pass that counts all items by distance. An item's
rank is the number of closer items, which is known at the end of the pass, plus the number of items
met so far at its own distance. Items are counted 64 at a time, and the distance of each relevant
item is compared with those of its 64.
"""
