"""A plug-in of pytest's: the tree that is tested can be imported from its root and from its src folder.

The folders come last on the path, after pytest and all it needs: a module of the tree takes the place of nothing.
"""

import os
import sys

for folder in (os.getcwd(), os.path.join(os.getcwd(), "src")):
    if os.path.isdir(folder) and folder not in sys.path:
        sys.path.append(folder)
