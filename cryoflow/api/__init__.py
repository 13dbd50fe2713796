"""The public API, ``import cryoflow as cf``: the computations of the jobs on arrays, and the jobs themselves.

`cryoflow` holds the public names and imports these modules when a name is first used.
"""
