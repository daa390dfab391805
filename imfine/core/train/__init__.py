"""Training: a plan and a data set become a changed model. Yields events; knows no queue, no store, no page.

plan ──► targets (which matrices) ──► learner (the model, ready to learn)
rows ──► tokens (on the disk, once) ──► feed (which rows in which step)   ──► loop ──► result (a folder)
                                                     checkpoint ◄──────────┘

The files here are for all of it, and for text; pictures/ has what learns pictures, sliders/ a knob that is
learned from two opposite prompts.
"""
