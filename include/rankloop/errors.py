"""Errors whose messages are for the person who has to fix them."""


class RankloopError(Exception):
    """An error whose message is for a person: what is wrong, where, and what to do next.

    The command line prints it without a traceback and exits with 1.
    """


class TransientError(RankloopError):
    """An error that may pass, such as a server that is down: a task that meets one is retried.

    Every other RankloopError is not: the same task on the same data would say the same.
    """
