"""What an answer costs where the file runs: latency, memory, size and multiply-adds beside the student and the teacher."""
