"""Is there a C compiler? Without one the install has no kernel, and what is tested is its twin in numpy."""

import shutil

import pytest

COMPILER = any(shutil.which(name) for name in ("cc", "gcc", "clang"))
needs_compiler = pytest.mark.skipif(not COMPILER, reason="no C compiler: the numpy kernel is what there is")
