"""Deltas: what training, or an adapter that was dropped in, changes in a model, as a knob on the original.

    W = g · (W₀ + Σ δᵢ·ΔWᵢ), biases too; δ = 0 is the original, δ = 1 the trained model

    knob.py      what a recipe says of a delta        strength.py   δ of each module by knob, layer and part
    keys.py      tensors' names in adapters' files    adapter.py    an adapter's headers, held against a model
    found.py     which deltas a model has             keeping.py    an upload becomes an adapter of the home
    change.py    one module's ΔW, read into memory    loaded.py     the deltas that a warm model has in memory
    live.py      a module's product under a plan

The left column is plain Python, and adapter.py and keeping.py too; the others need torch.
"""
