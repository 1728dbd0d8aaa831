"""Papers that prove why distillation helps, checked where the truth is known."""
