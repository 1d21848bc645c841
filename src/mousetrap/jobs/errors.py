"""What can go wrong when a job moves from one state to the next."""


class JobError(Exception):
    """Base of everything that this library raises."""


class TransitionError(JobError):
    """The job is not in a state that allows the step."""
