"""torch and transformers, a fifth quicker: import this before either.

Importing them makes some 350,000 objects that stay. Python's collector looks through them again and again
meanwhile, and at every full collection afterwards, which may come in the middle of somebody's answer. Here it
does neither (docs/performance.md).
"""

import gc

collects = gc.isenabled()
gc.disable()
try:
    import torch
    import transformers.modeling_utils
finally:
    gc.freeze()
    if collects:
        gc.enable()

__all__ = ["torch", "transformers"]
