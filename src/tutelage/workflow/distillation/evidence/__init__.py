"""What a distillation rests on: the choice by validation, the looks at the test rows, and what more rows would bring."""
