"""The life of a job: its states and which of them may follow which."""
