"""What went wrong, said for the person who has to mend it."""


class RankloopError(Exception):
    """An error whose message is for a person: what is wrong, where, and what to do next.

    The command line prints it without a traceback and exits with 1.
    """
