"""Training: a plan and a data set become a changed model. Yields events; knows no queue, no store, no page.

plan ──► targets (which matrices) ──► learner (the model, ready to learn)
rows ──► tokens (on the disk, once) ──► feed (which rows in which step)   ──► loop ──► result (a folder)
                                                     checkpoint ◄──────────┘
"""
