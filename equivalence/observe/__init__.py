"""What a subject shows before it is judged: whether it can be compared at all, its timing, whether the clip is a loop."""
