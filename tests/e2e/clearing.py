"""What on-call does to a run, and what may befall it: tasks cleared, tasks killed."""

from dataclasses import dataclass

import psutil

from rankloop_demo.stack.airflow_api import AirflowApi
from rankloop_demo.stack.processes import processes_of
from tests.running import RunningStack, wait_until

ENDED = {"success", "failed", "upstream_failed", "skipped"}


@dataclass(frozen=True)
class Run:
    """A run of a DAG in a running stack."""

    airflow: AirflowApi
    dag: str
    run_id: str

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"/dags/{self.dag}/dagRuns/{self.run_id}"

    def states(self, task: str) -> set[str | None]:
        """The states of a task's instances."""
        entries = self.airflow.ask("GET", f"{self.path}/taskInstances?limit=100")["task_instances"]
        return {entry["state"] for entry in entries if entry["task_id"] == task}

    def clear(self, task: str, *, with_what_follows: bool = False) -> None:
        """Clear one task, and nothing that follows unless that is asked for."""
        body = {"dry_run": False, "only_failed": False, "reset_dag_runs": True, "task_ids": [task]}
        body["include_downstream"] = with_what_follows
        self.airflow.ask("POST", f"/dags/{self.dag}/clearTaskInstances", {**body, "dag_run_id": self.run_id})

    def clear_at_rest(self, task: str) -> None:
        """Clear a task of a run that has ended; one that is just ending would end all the same, and leave it so."""
        wait_until(lambda: self.airflow.ask("GET", self.path)["state"] in ENDED, f"an end of {self.path}", within_s=180)
        self.clear(task)

    def succeed(self, task: str) -> None:
        """Wait for the task's end, which has to be a good one."""
        wait_until(lambda: self.states(task) <= ENDED, f"an end of {task}", within_s=180)
        assert self.states(task) == {"success"}

    def kill(self, task: str, stack: RunningStack) -> None:
        """Have a task that ended run again, and SIGKILL it on the way."""
        killed = 0
        while not killed:  # a short task may have ended before the shot
            self.clear_at_rest(task)
            while not killed and not self.states(task) <= ENDED:
                killed = kill_tasks(stack)
        wait_until(lambda: self.states(task) <= {"up_for_retry", *ENDED}, f"{task} to be missed", within_s=120)


def kill_tasks(stack: RunningStack) -> int:
    """SIGKILL whatever task runs: the process of the task, whose parent is the worker that would report its end."""
    killed = 0
    for process in processes_of(stack.settings.home):
        try:
            title = " ".join(process.handle.cmdline())
            if title.startswith("airflow worker -- ") and "LocalExecutor" not in title:
                process.handle.kill()
                killed += 1
        except psutil.NoSuchProcess:
            continue
    return killed
