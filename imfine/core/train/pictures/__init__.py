"""What learns pictures: the same loop, with another learner, lesson and memory."""
