"""What a distillation rests on: the students of all seeds, the test that is made once, and the choice."""
